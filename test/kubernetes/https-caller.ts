import { request as httpsRequest } from "node:https";

export interface Call {
  method?: string;
  /** Sent as it is when it is text or bytes, else as JSON. */
  body?: unknown;
  /** Empty: none is sent. */
  token?: string;
  headers?: Record<string, string>;
  certificate?: { cert: string; key: string };
}

export interface Reply {
  code: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: answers are judged by the tests
  body: any;
}

/** A plain client of an API server on this machine; by default it is `admin` who calls. A client certificate goes instead of the default token. */
export const httpsCaller =
  (port: number, caCert: string) =>
  (path: string, { method = "GET", body, headers = {}, certificate, ...rest }: Call = {}): Promise<Reply> => {
    const { token = certificate ? "" : "admin" } = rest;
    const payload =
      typeof body === "string" || Buffer.isBuffer(body) ? body : body === undefined ? "" : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        {
          host: "127.0.0.1",
          port,
          path,
          method,
          ca: caCert,
          ...certificate,
          agent: false,
          headers: {
            ...(token ? { authorization: `Bearer ${token}` } : {}),
            // Said outright: Node leaves it out for methods that seldom have a body.
            ...(body === undefined
              ? {}
              : { "content-type": "application/json", "content-length": String(Buffer.byteLength(payload)) }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () => {
            const bytes = Buffer.concat(chunks);
            const text = bytes.toString();
            let parsed: unknown;
            try {
              parsed = JSON.parse(text);
            } catch {
              parsed = undefined;
            }
            resolve({ code: response.statusCode ?? 0, headers: response.headers, text, bytes, body: parsed });
          });
        },
      );
      request.on("error", reject);
      request.end(payload);
    });
  };
