import { type OptionName, processEnvironment, readConfig } from "../config.js";
import { createLog } from "../log.js";
import { startEmulator } from "../main.js";

/** How long a signal waits for an orderly end before the process leaves anyway, in milliseconds. State is safe either way. */
const STOP_LIMIT_MS = 900;

/** `eksim start`: runs until SIGINT or SIGTERM. */
export async function start(options: Record<string, string | boolean>, version: string): Promise<void> {
  const flags: Partial<Record<OptionName, string>> = {};
  for (const [name, value] of Object.entries(options)) {
    flags[name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`) as OptionName] = String(value);
  }
  const config = readConfig(flags, processEnvironment());
  const log = createLog(config);
  const emulator = await startEmulator({ config, log, version });
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(0);
    stopping = true;
    // A last resort outside of simulated time: the process must end within a second whatever the clock does.
    setTimeout(() => process.exit(0), STOP_LIMIT_MS).unref();
    emulator.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, "could not end in order");
        process.exit(1);
      },
    );
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  if (config.logFormat === "json") {
    process.stdout.write(
      `${JSON.stringify({ event: "ready", endpoint: emulator.endpoint, pid: process.pid, version, backend: config.backend, dataDir: config.dataDir })}\n`,
    );
  } else {
    process.stdout.write(welcome(emulator.endpoint, version, config.dataDir));
  }
}

/** What a newcomer sees: where it runs and what to type next. */
function welcome(endpoint: string, version: string, dataDir: string): string {
  return `
eksim ${version}: Amazon EKS at ${endpoint}   (state in ${dataDir}; Ctrl-C ends it)

Point any AWS tool at it, in another terminal:

  export AWS_ENDPOINT_URL=${endpoint} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
  aws eks create-cluster --name demo --role-arn arn:aws:iam::000000000000:role/eks \\
      --resources-vpc-config subnetIds=subnet-a,subnet-b,subnet-c
  aws eks create-nodegroup --cluster-name demo --nodegroup-name workers --node-role arn:aws:iam::000000000000:role/node \\
      --subnets subnet-a subnet-b subnet-c --scaling-config minSize=3,maxSize=9,desiredSize=6
  aws eks update-kubeconfig --name demo && kubectl get nodes -L topology.kubernetes.io/zone

Then take a zone away and watch the nodes being replaced:

  npx eksim zone fail us-east-1a --cluster demo && kubectl get nodes -w

`;
}
