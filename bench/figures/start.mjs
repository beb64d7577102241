import { BARE_FASTIFY, rssMb, startEksimProcess, startServer } from "../server.mjs";

const RUNS = 5;
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function firstAnswerMs(start, path) {
  const server = await start();
  const response = await fetch(server.endpoint + path);
  await response.arrayBuffer();
  const ms = performance.now() - server.startedMs;
  // By then it has loaded what its first cluster will need.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const rss = rssMb(server.pid);
  server.stop();
  return { ms, rss };
}

export async function figures() {
  const ours = [];
  const bare = [];
  for (let i = 0; i < RUNS; i++) {
    ours.push(await firstAnswerMs(() => startEksimProcess(), "/_eksim/health"));
    bare.push(await firstAnswerMs(() => startServer(BARE_FASTIFY), "/"));
  }
  return [
    {
      figure: "start to first answer",
      value: median(ours.map((run) => run.ms)),
      unit: "ms",
      limit: 400,
      baseline: `bare Fastify ${median(bare.map((run) => run.ms)).toFixed(0)} ms`,
    },
    {
      figure: "idle memory",
      value: median(ours.map((run) => run.rss)),
      unit: "MB",
      limit: 120,
      baseline: `bare Fastify ${median(bare.map((run) => run.rss)).toFixed(0)} MB`,
    },
  ];
}
