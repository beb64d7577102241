// A cluster of an emulator in another process, and HTTPS to its API server from this one.
import { Agent, request } from "node:https";
import { createEksToken } from "../dist/identity/sigv4-signer.js";
import { call, clusterInput } from "./server.mjs";

const CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test" };

/** Connections that clients keep open. */
const CONNECTIONS = 10;

/** The cluster called `name`, made if there is none yet, once it is ACTIVE. */
export async function cluster(eksim, name) {
  const found = await call(eksim.endpoint, "GET", `/clusters/${name}`);
  if (!found.cluster) await call(eksim.endpoint, "POST", "/clusters", clusterInput(name));
  let described = found.cluster;
  while (described?.status !== "ACTIVE" || !described.endpoint)
    described = (await call(eksim.endpoint, "GET", `/clusters/${name}`)).cluster;
  return connect(name, described);
}

function connect(clusterName, { endpoint, certificateAuthority }) {
  const ca = Buffer.from(certificateAuthority.data, "base64").toString();
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, ca });
  const token = () => createEksToken({ clusterName, region: "us-east-1", credentials: CREDENTIALS, nowMs: Date.now() });
  let authorization = `Bearer ${token()}`;
  let signedMs = Date.now();

  /** Resolves with the answer's bytes; rejects at any refusal. */
  const send = (method, path, body) =>
    new Promise((resolve, reject) => {
      if (Date.now() - signedMs > 600_000) {
        authorization = `Bearer ${token()}`;
        signedMs = Date.now();
      }
      const headers = { authorization, accept: "application/json" };
      if (body) headers["content-type"] = "application/json";
      const sent = request(endpoint + path, { method, agent, headers }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          if (response.statusCode < 300) resolve(bytes);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${bytes.toString().slice(0, 300)}`));
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });

  return {
    send,
    json: async (method, path, body) => JSON.parse(await send(method, path, body && JSON.stringify(body))),
    /** Sends all of `bodies`, CONNECTIONS at a time. */
    async createAll(path, bodies) {
      const left = bodies.values();
      const worker = async () => {
        for (const body of left) await send("POST", path, body);
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    },
    /** A watch on a connection of its own; `onBytes` hears of all that comes. Resolves when it has begun, with how to end it. */
    watch: (path, onBytes) =>
      new Promise((resolve, reject) => {
        const sent = request(`${endpoint}${path}`, { ca, agent: false, headers: { authorization } }, (response) => {
          if (response.statusCode !== 200) reject(new Error(`watch: ${response.statusCode}`));
          response.on("data", onBytes);
          response.on("error", () => {});
          resolve(() => sent.destroy());
        });
        sent.on("error", reject);
        sent.end();
      }),
    close: () => agent.destroy(),
  };
}
