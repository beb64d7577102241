/** A caller inside the simulated VPC: connections to API servers through the emulator's proxy. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";

/** What the proxy answers to a CONNECT: the connection, or the status and reason of its refusal. */
export function openTunnel(emulator: string, authority: string): Promise<{ socket: Socket } | { refusal: string }> {
  const { hostname, port } = new URL(emulator);
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ host: hostname, port, method: "CONNECT", path: authority, agent: false });
    asked.on("connect", (answer: IncomingMessage, socket: Socket) => {
      if (answer.statusCode === 200) return resolve({ socket });
      socket.destroy();
      return resolve({ refusal: `${answer.statusCode} ${answer.statusMessage}` });
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** The status that the API server at `authority` answers with, or the code of the error that ends the connection. */
export async function askFromVpc(
  emulator: string,
  authority: string,
  options: { ca: string; token?: string; path?: string; servername?: string },
): Promise<{ status: number; body: string } | { error: string }> {
  const tunnel = await openTunnel(emulator, authority);
  if ("refusal" in tunnel) return { error: tunnel.refusal };
  const { ca, token, path = "/api/v1/namespaces", servername = authority.split(":")[0] } = options;
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve({ error: error.code ?? error.message });
    const socket = tlsConnect({ socket: tunnel.socket, ca, servername }).on("error", failed);
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    httpsRequest({ path, headers, createConnection: () => socket }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        socket.destroy();
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
    })
      .on("error", failed)
      .end();
  });
}
