import type { WatchEvent } from "../api.js";
import type { BehaviourProgram, ContainerContext, ImageBehaviour } from "../image-behaviour.js";
import { keyOf } from "../object.js";
import type { EventRecorder } from "../runtime/event-recorder.js";
import type { ConfigMap } from "../schema/generated/types.js";
import { type Images, parseProgram } from "./behaviour.js";
import { builtinImage, type ImageProgram, imageBaseName } from "./image-programs.js";
import { FileError, fromBytes, toBytes } from "./machine/files.js";
import { type Program, pathIn } from "./machine/program.js";
import { matchesPattern } from "./shell/patterns.js";

/**
 * How images behave: built in, said by whoever made the cluster, or said in a ConfigMap with this label. Each key of such a ConfigMap holds a JSON object;
 * its member `image` is the pattern of the images that it is about, without it the key is (for the last part of the image's name).
 */
const IMAGES_LABEL = "eksim.dev/images";

export interface ImageRegistry extends Images {
  onConfigMap(event: WatchEvent<ConfigMap>): void;
}

interface Entry {
  pattern: string;
  behaviour: ImageBehaviour;
}

/** The name of an image without its tag and digest. */
const plainName = (image: string): string => {
  const path = image.split("@")[0] ?? "";
  const colon = path.lastIndexOf(":");
  return colon > path.lastIndexOf("/") ? path.slice(0, colon) : path;
};

/** `my/web` is that image with any tag; `*` stands for anything. */
export const isMeant = (pattern: string, image: string): boolean =>
  [image, plainName(image), imageBaseName(image)].some((name) => matchesPattern(pattern, name));

export function createImageRegistry(
  given: Readonly<Record<string, ImageBehaviour>> = {},
  events?: EventRecorder,
): ImageRegistry {
  const own: readonly Entry[] = Object.entries(given).map(([pattern, behaviour]) => ({ pattern, behaviour }));
  const fromMaps = new Map<string, readonly Entry[]>();
  /** What is known by the name of an image, until anything changes. */
  let known = new Map<string, { behaviour: ImageBehaviour | undefined; program: ImageProgram }>();

  const read = (map: ConfigMap): Entry[] => {
    const entries: Entry[] = [];
    for (const [key, text] of Object.entries(map.data ?? {})) {
      const parsed = parseProgram(text, ["image"]);
      if ("problem" in parsed) {
        events?.event(map, "Warning", "InvalidImageBehaviour", `${key}: ${parsed.problem}`);
        continue;
      }
      const { image = key, ...behaviour } = parsed.program as BehaviourProgram & { image?: string };
      entries.push({ pattern: image, behaviour });
    }
    return entries;
  };

  const lookUp = (image: string): { behaviour: ImageBehaviour | undefined; program: ImageProgram } => {
    const hit = known.get(image);
    if (hit) return hit;
    const entries = [...own, ...[...fromMaps.values()].flat()].filter(({ pattern }) => isMeant(pattern, image));
    const behaviour: ImageBehaviour | undefined =
      entries.length === 0 ? undefined : Object.assign({}, ...entries.map((entry) => entry.behaviour));
    const builtin = builtinImage(image);
    const program: ImageProgram = behaviour?.run
      ? {
          ...builtin,
          entrypoint: [RUN],
          cmd: [],
          programs: { ...builtin.programs, [RUN]: functionProgram(behaviour.run) },
        }
      : builtin;
    const found = { behaviour, program };
    if (known.size >= MEMO_LIMIT) known = new Map();
    known.set(image, found);
    return found;
  };

  return {
    program: (image) => lookUp(image).program,
    behaviour: (image) => lookUp(image).behaviour,
    onConfigMap({ type, object }) {
      const key = keyOf(object);
      const isMine = type !== "DELETED" && object.metadata.labels?.[IMAGES_LABEL] === "true";
      if (!isMine && !fromMaps.has(key)) return;
      if (isMine) fromMaps.set(key, read(object));
      else fromMaps.delete(key);
      known = new Map();
    },
  };
}

const RUN = "/eksim-run";
const MEMO_LIMIT = 1_000;

/** A function as the first process of a container. */
const functionProgram = (run: NonNullable<ImageBehaviour["run"]>): Program =>
  function* (context) {
    const { system, process, stdout, stderr } = context;
    const { kernel, tree } = system;
    const stopping = new AbortController();
    process.handlers.set("TERM", "handle");
    const plain: ContainerContext = {
      argv: context.argv.slice(1).map(fromBytes),
      env: Object.fromEntries([...context.env].map(([name, value]) => [fromBytes(name), fromBytes(value)])),
      pod: system.pod,
      log: (line) => stdout.write(`${toBytes(line)}\n`),
      sleep: (ms) => system.clock.sleep(ms, stopping.signal),
      now: () => kernel.wallNow(),
      readFile(path) {
        try {
          return fromBytes(tree.read(pathIn(context, path), context.who));
        } catch (error) {
          if (error instanceof FileError) return undefined;
          throw error;
        }
      },
      writeFile: (path, text) => tree.write(pathIn(context, path), toBytes(text), context.who),
      signal: stopping.signal,
    };
    let code: number | undefined;
    const work = async (): Promise<void> => {
      try {
        code = (await run(plain)) ?? 0;
      } catch (error) {
        const isStop = stopping.signal.aborted;
        if (!isStop)
          stderr.write(`${toBytes(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`);
        code = isStop ? 0 : 1;
      }
      kernel.kick();
    };
    void work();
    try {
      while (code === undefined) {
        yield { ready: () => code !== undefined, interruptible: true };
        if (process.pending.length > 0) {
          process.pending.length = 0;
          stopping.abort();
        }
      }
      return code & 0xff;
    } finally {
      // Killed: whatever still waits in it ends.
      stopping.abort();
    }
  };
