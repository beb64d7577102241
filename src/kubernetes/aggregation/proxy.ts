/** Passes requests on to the extension API server that an APIService names, and its answers back as they come: lists, watches, whatever it speaks. */
import type { IncomingHttpHeaders } from "node:http";
import { pipeline } from "node:stream/promises";
import type { WebhookCaller } from "../admission/webhooks/call.js";
import type { UserInfo } from "../api.js";
import type { Exchange } from "../server/context.js";
import type { Answer } from "../server/respond.js";
import { type AggregatedApis, isAvailable, type RemoteApiService } from "./aggregated-apis.js";
import { identityHeaders } from "./front-proxy.js";

/** Belong to one connection, or would let a client say who it is. */
const NOT_PASSED_ON =
  /^(connection|keep-alive|proxy-authenticate|proxy-authorization|te|trailer|transfer-encoding|upgrade|host|authorization|impersonate-.*|x-remote-.*)$/;
const HOP_BY_HOP = /^(connection|keep-alive|transfer-encoding)$/;

export interface Aggregator {
  /** Answers a request that another API server is there for; undefined when it is this one's own. The answer is undefined once it has been sent. */
  answer(exchange: Exchange): Promise<{ answer: Answer | undefined }> | undefined;
}

const plain = (text: string): { answer: Answer } => ({
  answer: { code: 503, body: `${text}\n`, contentType: "text/plain; charset=utf-8" },
});

export function createAggregator({ apis, caller }: { apis: AggregatedApis; caller: WebhookCaller }): Aggregator {
  async function pass(
    { spec }: RemoteApiService,
    { request, response, user, inside }: Exchange,
  ): Promise<{ answer: Answer | undefined }> {
    const { service, caBundle, insecureSkipTLSVerify } = spec;
    let reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
    try {
      const opened = await caller.open(
        { service, caBundle },
        {
          method: request.method ?? "GET",
          path: request.url ?? "/",
          headers: headersFor(request.headers, user, request.socket.remoteAddress),
          verify: insecureSkipTLSVerify !== true,
          patient: !inside,
        },
      );
      const { outgoing } = opened;
      reason = opened.reason;
      response.on("close", () => outgoing.destroy());
      const answer = await new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
        outgoing.on("response", resolve);
        outgoing.on("error", reject);
        void pipeline(request, outgoing).catch(() => {});
      });
      const headers: IncomingHttpHeaders = {};
      for (const [name, value] of Object.entries(answer.headers)) if (!HOP_BY_HOP.test(name)) headers[name] = value;
      response.writeHead(answer.statusCode ?? 502, headers);
      response.flushHeaders();
      void pipeline(answer, response).catch(() => response.destroy());
      return { answer: undefined };
    } catch (error) {
      return plain(`error trying to reach service: ${reason(error)}`);
    }
  }

  return {
    answer(exchange) {
      const [, root, group = "", version = ""] = exchange.info.path.split("/", 4);
      const service = root === "apis" && version !== "" ? apis.find(group, version) : undefined;
      if (!service) return undefined;
      if (!isAvailable(service)) return Promise.resolve(plain("service unavailable"));
      return pass(service, exchange);
    },
  };
}

function headersFor(
  headers: IncomingHttpHeaders,
  user: UserInfo,
  address: string | undefined,
): Record<string, string | string[] | undefined> {
  const passed: Record<string, string | string[] | undefined> = {};
  for (const [name, value] of Object.entries(headers)) if (!NOT_PASSED_ON.test(name)) passed[name] = value;
  const earlier = headers["x-forwarded-for"];
  if (address) passed["x-forwarded-for"] = earlier ? `${String(earlier)}, ${address}` : address;
  return { ...passed, ...identityHeaders(user) };
}
