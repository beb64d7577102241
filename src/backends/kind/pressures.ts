/**
 * What a node is short of. Nothing is really taken from it, since all machines share one: its kubelet is told to have more spare than there is, and reports
 * and evicts as any kubelet does. As a soft threshold, which unlike a hard one leaves what the node has for pods as it was.
 */
import type { Pressure } from "../../domain/impairments.js";
import type { Engine } from "./engine.js";

/** More than any machine has to spare. PIDs: of some millions. */
const SPARE: Readonly<Record<Pressure, string>> = {
  DiskPressure: "nodefs.available<99.9%",
  MemoryPressure: "memory.available<99.9%",
  PIDPressure: "pid.available<99.999%",
};

/** In memory: with the machine's power it is gone. Of kind's own unit, which has its configuration in a variable. */
const DIRECTORY = "/run/systemd/system/kubelet.service.d";

/** Argument: what is to stand in the file; nothing for none. A kubelet that is stopped stays so. */
const WRITE = `set -eu
file=${DIRECTORY}/90-eksim.conf
[ "$(cat "$file" 2>/dev/null || true)" = "$1" ] && exit 0
if [ -n "$1" ]; then
  mkdir -p ${DIRECTORY}
  printf '%s\\n' "$1" > "$file"
else
  rm -f "$file"
fi
systemctl daemon-reload
systemctl try-restart kubelet
`;

/** As systemd reads it, where `%` stands for more than itself. Empty for none. */
export function kubeletUnit(pressures: readonly Pressure[]): string {
  if (pressures.length === 0) return "";
  const thresholds = [...pressures].sort().map((pressure) => SPARE[pressure]);
  const grace = thresholds.map((threshold) => threshold.replace(/<.*/, "=1s"));
  const flags = [
    "--config=/var/lib/kubelet/config.yaml",
    `--eviction-soft=${thresholds.join(",")}`,
    `--eviction-soft-grace-period=${grace.join(",")}`,
  ];
  return `[Service]\nEnvironment="KUBELET_CONFIG_ARGS=${flags.join(" ").replaceAll("%", "%%")}"`;
}

/** From now on the kubelet of a machine that runs is short of exactly this. It starts anew for that; pods go on. */
export async function setPressures(engine: Engine, machine: string, pressures: readonly Pressure[]): Promise<void> {
  await engine.exec(machine, ["sh", "-s", kubeletUnit(pressures)], { input: WRITE });
}
