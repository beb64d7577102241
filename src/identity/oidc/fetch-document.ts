/**
 * Gets the public documents of an OIDC issuer: its discovery document and its keys. Over TLS that this machine trusts (NODE_EXTRA_CA_CERTS adds
 * authorities), but for issuers on this machine itself, whose certificates nobody has signed.
 */
import { get } from "node:https";

/** Largest document that is read, in bytes. */
const MAX_BYTES = 1024 * 1024;
/** How long an issuer may take, in milliseconds of the machine's time. */
const PATIENCE_MS = 10_000;

const LOOPBACK = /^(localhost|[\w.-]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** The JSON at a URL of https. Throws with a short reason, without what the issuer has answered. */
export async function fetchDocument(address: string): Promise<unknown> {
  const url = new URL(address);
  if (url.protocol !== "https:") throw new Error(`${url.origin} is not https`);
  const { status, text } = LOOPBACK.test(url.hostname) ? await fromThisMachine(url) : await fromOutside(url);
  if (status !== 200) throw new Error(`${url.href} answered ${status}`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${url.href} did not answer with JSON`, { cause: error });
  }
}

interface Answer {
  status: number;
  text: string;
}

async function fromOutside(url: URL): Promise<Answer> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(PATIENCE_MS),
    headers: { accept: "application/json" },
  });
  const parts: Uint8Array[] = [];
  let bytes = 0;
  if (response.body) {
    for await (const part of response.body as AsyncIterable<Uint8Array>) {
      bytes += part.byteLength;
      if (bytes > MAX_BYTES) throw new Error(`${url.href} answered more than ${MAX_BYTES} bytes`);
      parts.push(part);
    }
  }
  return { status: response.status, text: Buffer.concat(parts).toString("utf8") };
}

const fromThisMachine = (url: URL): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = get(
      url,
      { rejectUnauthorized: false, agent: false, signal: AbortSignal.timeout(PATIENCE_MS) },
      (response) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on("data", (part: Buffer) => {
          bytes += part.length;
          if (bytes > MAX_BYTES) response.destroy(new Error(`${url.href} answered more than ${MAX_BYTES} bytes`));
          else parts.push(part);
        });
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString("utf8") }),
        );
      },
    );
    request.on("error", reject);
  });
