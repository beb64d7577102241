import { UsageError } from "../config.js";
import type { EventRecord } from "../domain/model.js";
import { call, targetOf } from "./client.js";

/** `2026-11-22T10:00:00.000Z  nodegroup  InstanceLaunched  i-0abc  us-east-1b  Launched ...` */
function line(event: EventRecord, json: boolean): string {
  if (json) return JSON.stringify(event);
  const place = event.zone ? `${event.zone}  ` : "";
  return `${new Date(event.atMs).toISOString()}  ${event.type.padEnd(24)}  ${place}${event.message}`;
}

/** `eksim events`. */
export async function events(options: {
  endpoint?: string;
  region?: string;
  cluster?: string;
  follow?: boolean;
  json?: boolean;
}): Promise<void> {
  const target = targetOf(options);
  let after = 0;
  for (;;) {
    const page = await call<{ events: EventRecord[] }>(target, "GET", "events", {
      cluster: options.cluster,
      after,
      limit: 1000,
    });
    for (const event of page.events) {
      console.log(line(event, options.json === true));
      after = event.sequence;
    }
    if (page.events.length < 1000) break;
  }
  if (options.follow) await follow(target, after, options);
}

/** Reads the server-sent event stream until it ends. */
async function follow(
  target: { endpoint: string; accountId: string; region: string },
  after: number,
  options: { cluster?: string; json?: boolean },
): Promise<void> {
  const url = new URL(`${target.endpoint}/_eksim/events`);
  url.search = new URLSearchParams({
    account: target.accountId,
    region: target.region,
    after: String(after),
    ...(options.cluster ? { cluster: options.cluster } : {}),
  }).toString();
  const response = await fetch(url, { headers: { accept: "text/event-stream" } });
  if (!response.ok || !response.body) throw new UsageError(`eksim answered ${response.status} to the event stream`);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data) console.log(line(JSON.parse(data) as EventRecord, options.json === true));
    }
  }
}
