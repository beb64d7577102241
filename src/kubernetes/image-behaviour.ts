/**
 * How the containers of an image behave, for whoever runs a simulated cluster: what it answers, prints and uses, and when it ends. Pods can say the same
 * of themselves in the annotation eksim.dev/behaviour, and ConfigMaps with the label `eksim.dev/images: "true"` for whole images.
 */
export interface BehaviourProgram {
  exitCode?: number;
  runForSeconds?: number;
  /** Ends with exit code 1 (or `exitCode`) each time it has run so long. */
  crashEverySeconds?: number;
  readyAfterSeconds?: number;
  neverReady?: boolean;
  imagePull?: "missing" | "ok";
  stopAfterSeconds?: number;
  /** Lines that it prints when it starts. */
  logs?: string[];
  oomKilled?: boolean;
  terminationMessage?: string;
  /** By path, or by `<port>/path`; `*` is every other path. A text is a body, a number a status. */
  http?: Record<string, HttpAnswer | string | number>;
  /** By the beginning of a command line; `*` is every other. A text is what it prints, a number its exit code. */
  exec?: Record<string, ExecAnswer | string | number>;
  /** What each container uses, for the metrics API. */
  usage?: { cpu?: string; memory?: string };
  /** Ports it listens on beside those that the pod declares. */
  ports?: number[];
}

export interface ExecAnswer {
  exitCode?: number;
  stdout?: string;
  stderr?: string;
}

export interface HttpAnswer {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

/** A request that reached a port of a pod: through port-forward, the API server's proxy, a probe, or from another pod. */
export interface PodHttpRequest {
  method: string;
  /** With the query. */
  path: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
  /** The pod that is asked. */
  pod: { namespace: string; name: string };
}

/** The first process of a container, as a function. */
export interface ContainerContext {
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  pod: { namespace: string; name: string };
  /** Writes a line to standard output. */
  log(line: string): void;
  /** Waits by the cluster's clock; rejects when the container is stopped. */
  sleep(ms: number): Promise<void>;
  /** Simulated time, epoch ms. */
  now(): number;
  /** Content of a file of the container, volumes included; undefined when it is not there. */
  readFile(path: string): string | undefined;
  writeFile(path: string, text: string): void;
  /** Aborted by SIGTERM. */
  signal: AbortSignal;
}

/** As BehaviourProgram, with functions where answers must be worked out. */
export interface ImageBehaviour extends Omit<BehaviourProgram, "http" | "exec"> {
  /** Undefined: nothing special, the next best answer is given. */
  http?:
    | BehaviourProgram["http"]
    | ((port: number, request: PodHttpRequest) => HttpAnswer | string | undefined | Promise<HttpAnswer | string>);
  /** Undefined: the command is run by the simulated machine. */
  exec?: BehaviourProgram["exec"] | ((argv: readonly string[]) => ExecAnswer | string | number | undefined);
  /** Runs instead of the image's own command. Its end ends the container, with the number it gives as exit code; an error ends it with 1. */
  run?: (context: ContainerContext) => Promise<number | undefined> | Promise<void> | number | undefined;
}
