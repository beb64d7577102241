#!/usr/bin/env node
/** The `eksim` command: one file a sub-command, each loaded only when it is the one that runs. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { environmentName, OPTIONS, UsageError } from "../config.js";
import { didYouMean } from "../domain/nearest.js";
import { withTarget } from "./client.js";

const version = (
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }
).version;

const program = new Command("eksim")
  .description("Amazon EKS on one machine, with availability zones that can be killed.")
  .version(version);
program
  .exitOverride()
  // A sub-command's options are its own even where its parent has one of the same name.
  .enablePositionalOptions()
  .configureOutput({
    outputError: (text, write) => write(`eksim: ${oneLine(text)}; --help lists what there is\n`),
  });
/** Suggestions come in a line of their own. */
function oneLine(text: string): string {
  return text
    .replace(/^error: /, "")
    .trim()
    .replace(/\s+/g, " ");
}

const start = program.command("start", { isDefault: true }).description("run the emulator until it is interrupted");
for (const option of OPTIONS) {
  const flag = "value" in option ? `--${option.flag} <${option.value}>` : `--${option.flag}`;
  const fallback = option.fallback && "value" in option ? `, default ${option.fallback}` : "";
  start.option(flag, `${option.help} (${environmentName(option.flag)}${fallback})`);
}
// The default command also gets every word that is no command: say that, not that `start` takes none.
start.allowExcessArguments().action(async (options: Record<string, string | boolean>, command: Command) => {
  const [word] = command.args;
  const commands = program.commands.map((each) => each.name());
  if (word !== undefined)
    throw new UsageError(`unknown command '${word}'.${didYouMean(word, commands)} --help lists what there is`);
  await (await import("./start.js")).start(options, version);
});

program
  .command("demo")
  .description("run a whole drill by itself: cluster, nodes, workload, a zone lost and replaced")
  .option("--keep-output", "print the emulator's own log as well")
  .action(async (options: { keepOutput?: boolean }) => (await import("./demo.js")).demo(options));

withTarget(program.command("zones").description("zones with their masters, nodes and pods"))
  .option("--cluster <name>", "count only this cluster")
  .action(async (options) => (await import("./zones.js")).listZones(options));

const zone = program.command("zone").description("fail or restore an availability zone");
withTarget(
  zone.command("fail <zone>").description("cut the power of a zone (name or id): its instances and masters go down"),
)
  .option("--cluster <name>", "only what this cluster has there")
  .action(async (name, options) => (await import("./zones.js")).failZone(name, options));
withTarget(zone.command("restore <zone>").description("end the failure of a zone"))
  .option("--cluster <name>", "only what this cluster has there")
  .action(async (name, options) => (await import("./zones.js")).restoreZone(name, options));

const several = (value: string, known: string[] = []): string[] => [...known, value];
/** A target has one of it: the last of several would be broken alone, and without a word. */
const once =
  (flag: string) =>
  (value: string, known?: string): string => {
    if (known === undefined) return value;
    throw new UsageError(`${flag} is given more than once; start a fault for each`);
  };
const fault = program.command("fault").description("break something on purpose, by name, and mend it");
withTarget(fault.command("list").description("faults that are on or scheduled"))
  .option("--all", "those that have ended as well")
  .option("--catalogue", "every fault there is, with its target and parameters")
  .option("--fault <name>", "one fault that there is, with every value that its parameters take")
  .action(async (options) => (await import("./fault.js")).listFaults(options));
withTarget(fault.command("start <name>").description("start a fault; names: eksim fault list --catalogue"))
  .option("--zone <zone>", "zone, by name or id", once("--zone"))
  .option("--cluster <name>", "only this cluster", once("--cluster"))
  .option("--nodegroup <name>", "node group of the cluster", once("--nodegroup"))
  .option("--node <node>", "node name or instance id; may be repeated", several)
  .option("--label <key=value>", "label that nodes must have; may be repeated", several)
  .option("--namespace <name>", "namespace of pods", once("--namespace"))
  .option("--pod <name>", "pod of the namespace; may be repeated", several)
  .option("--pod-label <key=value>", "label that pods must have; may be repeated", several)
  .option("--count <n>", "so many of what is left, chosen by the seed")
  .option("--percent <n>", "such a share of what is left, chosen by the seed")
  .option("--duration <duration>", "end it by itself after this, such as 45m")
  .option("--delay <duration>", "begin so long from now")
  .option("--seed <n>", "for its random choices")
  .option("--empty-targets <mode>", "when nothing is there that is meant: fail (default) or skip")
  .option("--set <key=value>", "a parameter of the fault; may be repeated", several)
  .action(async (name, options) => (await import("./fault.js")).startFault(name, options));
withTarget(fault.command("stop <id>").description("end a fault, and undo it")).action(async (id, options) =>
  (await import("./fault.js")).stopFault(id, options),
);
withTarget(fault.command("stop-all").description("end every fault that is on or scheduled")).action(async (options) =>
  (await import("./fault.js")).stopAllFaults(options),
);

const shift = program
  .command("zonal-shift")
  .description("shift a cluster away from a zone, as Amazon Application Recovery Controller does");
withTarget(shift.command("start <zone>").description("shift away from a zone (name or id)"))
  .requiredOption("--cluster <name>", "the cluster; its zonalShiftConfig must be enabled")
  .requiredOption("--for <duration>", "minutes or hours, from 1m to 72h")
  .option("--comment <text>", "why")
  .action(async (zone, options) => (await import("./zonal-shift.js")).startZonalShift(zone, options));
withTarget(shift.command("update <id>").description("give an active shift a new end, or another comment"))
  .option("--for <duration>", "minutes or hours from now, from 1m to 72h")
  .option("--comment <text>", "why")
  .action(async (id, options) => (await import("./zonal-shift.js")).updateZonalShift(id, options));
withTarget(shift.command("cancel <id>").description("end a shift before it expires")).action(async (id, options) =>
  (await import("./zonal-shift.js")).cancelZonalShift(id, options),
);
withTarget(shift.command("list").description("shifts that are active"))
  .option("--cluster <name>", "only this cluster's")
  .option("--all", "those that have ended as well")
  .action(async (options) => (await import("./zonal-shift.js")).listZonalShifts(options));

const node = program.command("node").description("break one node");
withTarget(node.command("kill <node>").description("terminate the instance behind a node (node name or instance id)"))
  .option("--cluster <name>", "the cluster it belongs to, where names repeat")
  .action(async (name, options) => (await import("./zones.js")).killNode(name, options));

const drill = program.command("drill").description("break things by a plan, and see what survives");
drill
  .command("run <drill>")
  .description(
    "run a drill, by file or by name, in an emulator of its own: exit code 0 passed, 1 failed, 3 could not be run",
  )
  .option("--seed <number>", "seed of every random choice (default: the drill's, else 1)")
  .option("--endpoint <url>", "run it in the emulator that answers there")
  .option("--region <region>", "AWS region (default: the drill's, else us-east-1)")
  .option("--backend <name>", "where Kubernetes comes from: embedded or kind")
  .option("--speed <n>", "simulated seconds a second, up to 10 with kind (default: 1 with kind, else no waiting)")
  .option("--report-dir <directory>", "write <drill>.html, <drill>.xml (JUnit) and <drill>.json there")
  .option("--html <file>", "write the report as a page")
  .option("--junit <file>", "write the report as JUnit XML")
  .option("--json <file>", "write the report as JSON")
  .option("-q, --quiet", "print the verdict alone")
  .action(async (name, options) => (await import("./drill.js")).run(name, options));
drill
  .command("compare <report> <other>")
  .description(
    "two runs of a drill, by their JSON reports: exit code 0 when the key events came in the same order, else 1",
  )
  .option("--apart <duration>", "what comes within this time of each other has no order", "30s")
  .action(async (one, other, options) => (await import("./drill.js")).compare(one, other, options));
drill
  .command("list")
  .description("drills that come with eksim")
  .action(async () => (await import("./drill.js")).list());
drill
  .command("show <drill>")
  .description("print a drill, to read or to start one's own from")
  .action(async (name) => (await import("./drill.js")).show(name));
withTarget(
  drill
    .command("lint <drill-or-cluster>")
    .description("say which workloads would be lost with each zone: of a cluster that runs, or of a drill's own"),
)
  .option("--all", "name those that survive as well")
  .option("--json", "as JSON")
  .action(async (name, options) => (await import("./drill.js")).lint(name, options));

withTarget(program.command("events").description("what happened, oldest first"))
  .option("--cluster <name>", "only this cluster's")
  .option("-f, --follow", "wait for more")
  .option("--json", "one JSON object a line")
  .action(async (options) => (await import("./events.js")).events(options));

withTarget(
  program.command("explain-access").description("why an IAM principal may or may not do something in a cluster"),
)
  .requiredOption("--cluster <name>", "the cluster")
  .requiredOption("--principal <arn>", "a user, a role, or a session of one")
  .option("--verb <verb>", "what is to be done: get, list, create, ...")
  .option("--resource <name>", "with what, as kubectl names it: pods, deploy, deployments.apps/scale")
  .option("--path <path>", "or at which path, such as /metrics")
  .option("--namespace <name>", "in which namespace; none: everywhere")
  .option("--name <name>", "with which object")
  .option("--json", "the whole explanation as JSON")
  .action(async (options) => (await import("./explain-access.js")).explainAccess(options));

withTarget(program.command("status").description("clusters, node groups and instances"))
  .option("--cluster <name>", "only this cluster")
  .action(async (options) => (await import("./status.js")).status(options));

withTarget(
  program.command("gc").description("name clusters and machines in the container engine that nobody knows any more"),
)
  .option("-y, --yes", "remove those that this emulator's data directory has made")
  .action(async (options) => (await import("./gc.js")).collectGarbage(options));

withTarget(
  program
    .command("vpc-exec <command> [args...]")
    .description("run a command, such as kubectl, as if inside a cluster's VPC: it enters by the private endpoint"),
)
  .requiredOption("--cluster <name>", "the cluster whose VPC it is")
  .passThroughOptions()
  .action(async (command: string, args: string[], options) =>
    (await import("./vpc-exec.js")).vpcExec([command, ...args], options),
  );

withTarget(
  program.command("token").description("print a token for a cluster's API server, as a credential plugin of kubectl"),
)
  .requiredOption("--cluster <name>", "the cluster that it is for")
  .action(async (options) => (await import("./token.js")).token(options));

const clock = withTarget(program.command("clock").description("show simulated time, or move it")).action(
  async (options) => (await import("./clock.js")).showClock(options),
);
withTarget(clock.command("advance <duration>").description("move a stepped clock, e.g. 6m or 1h30m")).action(
  async (duration, options) => (await import("./clock.js")).advanceClock(duration, options),
);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else if (error instanceof UsageError || (error instanceof Error && "exitCode" in error)) {
    process.stderr.write(`eksim: ${error.message}\n`);
    process.exitCode = (error as { exitCode?: number }).exitCode ?? 1;
  } else {
    throw error;
  }
}
