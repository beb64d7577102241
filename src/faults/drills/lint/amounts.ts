/** Kubernetes quantities as plain numbers, and what pods ask for. Rules: apimachinery's resource.Quantity, and "Resource sharing within containers". */
import type { Amounts } from "./facts.js";

const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/;
const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Undefined for what is no quantity. */
export function quantityOf(text: string | number): number | undefined {
  const match = QUANTITY.exec(String(text));
  if (!match) return undefined;
  const [, digits = "", exponent = "", suffix = ""] = match;
  return Number(`${digits}${exponent}`) * (SUFFIXES[suffix] ?? 1);
}

/** What is no quantity counts as nothing: a cluster that took it knows what it means. Thousandths of a core are rounded up, as the scheduler does. */
export function amountsOf(list: Readonly<Record<string, string | number>> = {}): Amounts {
  return Object.fromEntries(
    Object.entries(list).map(([name, text]) => {
      const amount = quantityOf(text) ?? 0;
      // Six digits: a tenth of a core is not to become 101 thousandths.
      return [name, name === "cpu" ? Math.ceil(Number((amount * 1000).toFixed(6))) : Math.ceil(amount)];
    }),
  );
}

export const sum = (...amounts: readonly Amounts[]): Amounts => combine(amounts, (a, b) => a + b);

const greatest = (...amounts: readonly Amounts[]): Amounts => combine(amounts, Math.max);

function combine(all: readonly Amounts[], join: (a: number, b: number) => number): Amounts {
  const total: Record<string, number> = {};
  for (const amounts of all)
    for (const [name, amount] of Object.entries(amounts)) total[name] = join(total[name] ?? 0, amount);
  return total;
}

interface Container {
  restartPolicy?: string;
  resources?: { requests?: Readonly<Record<string, string | number>> };
}

export interface RequestingSpec {
  containers?: readonly Container[];
  initContainers?: readonly Container[];
  resources?: { requests?: Readonly<Record<string, string | number>> };
  overhead?: Readonly<Record<string, string | number>>;
}

/** What has to be free on a node: containers and sidecars together, or the hungriest moment of the start; what the pod says as a whole stands above both. */
export function requestsOf({ containers = [], initContainers = [], resources, overhead }: RequestingSpec): Amounts {
  let sidecars: Amounts = {};
  let peak: Amounts = {};
  for (const container of initContainers) {
    const own = amountsOf(container.resources?.requests);
    if (container.restartPolicy === "Always") sidecars = sum(sidecars, own);
    peak = greatest(peak, container.restartPolicy === "Always" ? sidecars : sum(sidecars, own));
  }
  const running = sum(sidecars, ...containers.map((container) => amountsOf(container.resources?.requests)));
  const asked = { ...greatest(running, peak), ...amountsOf(resources?.requests) };
  return sum(asked, amountsOf(overhead), { pods: 1 });
}

const NOTHING_LACKS: readonly string[] = [];

/** Names of what there is too little of. */
export function lacking(room: Amounts, needs: Amounts): readonly string[] {
  let names: string[] | undefined;
  for (const name in needs) {
    const amount = needs[name] ?? 0;
    if (amount <= 0 || amount <= (room[name] ?? 0)) continue;
    names ??= [];
    names.push(name);
  }
  return names ?? NOTHING_LACKS;
}
