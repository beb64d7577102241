/**
 * The instance metadata service of the machines: served by eksim at this machine's address on kind's network, and reached at EC2's own address by a rule in
 * each machine's network namespace. Who asks is known by the address that the question comes from; pods ask with that of their machine.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { instanceMetadata, METADATA_ADDRESS, type MetadataSubject } from "../../domain/instance-metadata.js";
import type { Engine } from "./engine.js";

export interface MetadataService {
  /** Lets a machine that runs ask, as that instance. Nothing where this machine has no address on the containers' network. */
  admit(container: string, address: string, subject: MetadataSubject): Promise<void>;
  forget(instanceId: string): void;
  /** It is served anew for whoever is admitted afterwards. */
  close(): void;
}

const TOKEN_HEADER = "x-aws-ec2-metadata-token-ttl-seconds";
/** Longest life of a token, in seconds. Tokens are given out and not asked for again: version 1 of the service is allowed as well. */
const LONGEST_TTL = 21_600;

export function createMetadataService(options: {
  engine: Engine;
  /** Addresses of eksim on kind's network. */
  addresses(): Promise<readonly string[]>;
  log: { debug(fields: Record<string, unknown>, message: string): void };
}): MetadataService {
  const { engine, log } = options;
  const subjects = new Map<string, MetadataSubject>();
  let serving: Promise<{ server: Server; host: string; port: number } | undefined> | undefined;

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const from = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
    const { status, text, headers = {} } = reply(subjects.get(from), request);
    response.writeHead(status, { "content-type": "text/plain", server: "EC2ws", ...headers }).end(text);
  };

  const serve = async (): Promise<{ server: Server; host: string; port: number } | undefined> => {
    const host = (await options.addresses()).find((address) => !address.includes(":"));
    if (host === undefined) return undefined;
    const server = createServer(answer);
    try {
      await new Promise<void>((resolve, reject) => server.once("error", reject).listen({ host, port: 0 }, resolve));
    } catch (err) {
      // Where containers live in a machine of their own, its addresses are not this machine's.
      log.debug({ err, host }, "instances have no metadata service");
      return undefined;
    }
    // It must not keep the process alive.
    server.unref();
    return { server, host, port: (server.address() as AddressInfo).port };
  };

  return {
    admit: async (container, address, subject) => {
      const asked = serving ?? serve();
      serving = asked;
      // An engine that does not answer now will do so for the next machine.
      asked.catch(() => {
        if (serving === asked) serving = undefined;
      });
      const served = await asked;
      if (!served) return;
      subjects.set(address, subject);
      await engine.exec(container, ["nft", "-f", "-"], { input: metadataRules(served.host, served.port) });
    },
    forget: (instanceId) => {
      for (const [address, subject] of subjects) if (subject.instanceId === instanceId) subjects.delete(address);
    },
    close: () => {
      serving?.then(
        (served) => served?.server.close(),
        () => {},
      );
      serving = undefined;
    },
  };
}

function reply(
  subject: MetadataSubject | undefined,
  { method, url = "", headers }: IncomingMessage,
): { status: number; text: string; headers?: Record<string, string> } {
  const [path = ""] = url.split("?");
  if (!subject) return { status: 404, text: "" };
  if (method === "PUT" && path === "/latest/api/token") {
    const ttl = Number(headers[TOKEN_HEADER]);
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > LONGEST_TTL) return { status: 400, text: "" };
    return { status: 200, text: randomBytes(40).toString("base64"), headers: { [TOKEN_HEADER]: String(ttl) } };
  }
  if (method !== "GET") return { status: 405, text: "" };
  const text = instanceMetadata(subject, path);
  return text === undefined ? { status: 404, text: "" } : { status: 200, text };
}

const TABLE = "eksim_metadata";

/** The machine itself and its pods find the service at EC2's address. */
export const metadataRules = (host: string, port: number): string => {
  const rule = `ip daddr ${METADATA_ADDRESS} tcp dport 80 dnat to ${host}:${port}`;
  return `table ip ${TABLE}
delete table ip ${TABLE}
table ip ${TABLE} {
  chain leaving { type nat hook output priority -110; policy accept; ${rule}; }
  chain passing { type nat hook prerouting priority -110; policy accept; ${rule}; }
}
`;
};
