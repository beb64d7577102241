// The baseline: a Fastify server with one route that answers the bytes it was given.
import Fastify from "fastify";

const body = process.argv[2] ?? "{}";
const app = Fastify();
app.get("/*", (_request, reply) => reply.type("application/json").send(body));
console.log(JSON.stringify({ endpoint: await app.listen({ port: 0, host: "127.0.0.1" }) }));
