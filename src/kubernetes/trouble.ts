/** What can be wrong with machines and pods that are there and have power, for whoever runs a simulated cluster and wants to see what follows. */
export type Pressure = "MemoryPressure" | "DiskPressure" | "PIDPressure";

export interface NodeTrouble {
  /** The machine is short of it, whatever its kubelet does about that. */
  pressures?: readonly Pressure[];
  /** How far the machine's clock runs ahead, ms; behind when negative. */
  clockSkewMs?: number;
  /** The API server does not believe the kubelet who it is: it can neither report nor learn anything. Containers go on. */
  unauthorized?: boolean;
  /** Nothing more can be written to the machine's disk. */
  diskFull?: boolean;
  /** Names of images that its registries do not give out; `*` stands for anything. */
  unpullable?: readonly string[];
}

/** A condition of a node that another program than the kubelet answers for; undefined: that program says nothing (any more). */
export type NodeReports = Readonly<Record<string, NodeReport | undefined>>;

export interface NodeReport {
  status: "True" | "False";
  reason: string;
  message: string;
}

/** `crash-loop`: the containers exit with 1 soon after each start. `not-ready`: they are not fit to serve. */
export type PodTrouble = "crash-loop" | "not-ready";

/** How the containers of a pod end that is otherwise well: with exit code 1, or killed for the memory that they take. */
export type Breakdown = "crash" | "oom";
