import type { Clock, Timer } from "../../clock/clock.js";
import type { NodeInfo } from "./node-info.js";
import { bindingProgress, type VolumeWork } from "./plugins/volumes.js";
import type { PodInfo } from "./pod-info.js";
import type { QueuedPod } from "./queue.js";
import type { ClusterSnapshot } from "./snapshot.js";

/**
 * Pods that have their node and wait for their volumes: kube-scheduler between Reserve and Bind. A pod counts on its node, and volumes and claims as taken, from
 * the moment they were chosen (its assume caches), so that whoever is planned meanwhile is planned beside it. Without, pods of one StatefulSet that are made at
 * once would all choose before the first of them stands anywhere, and their volumes would hold them where no spread wants them.
 */
export interface Reservations {
  /** Puts the pod on the node and has its volumes made; ends with `bind`, `failed`, or the pod's end. */
  reserve(entry: QueuedPod, node: NodeInfo, work: VolumeWork): void;
  /** Storage or nodes are not as they were. */
  changed(): void;
  /** Forgets what was kept for the pod, which is gone or has been placed; its placement is the caller's. True when there was something. */
  drop(key: string): boolean;
  stop(): void;
}

export interface ReservationOptions {
  clock: Clock;
  cluster: ClusterSnapshot;
  /** Rejects when something could not be written. */
  prepare: (work: VolumeWork, nodeName: string) => Promise<unknown>;
  /** All volumes are there. */
  bind: (entry: QueuedPod, node: NodeInfo) => void;
  /** It will not come to that: the pod is off its node again. */
  failed: (entry: QueuedPod, node: NodeInfo, message: string) => void;
}

interface Reservation {
  entry: QueuedPod;
  /** As it was placed: a newer state of the pod does not move it. */
  info: PodInfo;
  node: NodeInfo;
  work: VolumeWork;
  beganMs: number;
  /** Until the choice is written, claims do not tell of it. */
  written: boolean;
  look?: Timer;
  limit?: Timer;
}

/** How often BindPodVolumes looks whether the volumes are there, and its bindTimeoutSeconds. */
const LOOK_EVERY_MS = 1_000;
const BIND_TIMEOUT_MS = 600_000;

const PLUGIN = 'running PreBind plugin "VolumeBinding"';

export function createReservations({ clock, cluster, prepare, bind, failed }: ReservationOptions): Reservations {
  const held = new Map<string, Reservation>();
  const { promises } = cluster;

  const end = (reservation: Reservation): void => {
    const { info, work } = reservation;
    held.delete(info.key);
    reservation.look?.cancel();
    reservation.limit?.cancel();
    for (const claim of work.provision) promises.provision.delete(claim.metadata.uid);
    for (const { claim, volume } of work.bind) {
      promises.volumes.delete(claim.metadata.uid);
      promises.claims.delete(volume.metadata.name);
    }
  };

  const giveUp = (reservation: Reservation, reason: string): void => {
    const { entry, info, node } = reservation;
    end(reservation);
    if (cluster.placement(info.key)?.pod === info) cluster.remove(info.key);
    failed(entry, node, `${PLUGIN}: ${reason}`);
  };

  const isHeld = (reservation: Reservation): boolean => held.get(reservation.info.key) === reservation;

  /** Upstream looks once a second: what has come is seen at the next look. */
  const lookSoon = (reservation: Reservation): void => {
    const { info, node, beganMs, written, look } = reservation;
    if (!written || look || bindingProgress(info, node, cluster) === "waiting") return;
    const waitMs = LOOK_EVERY_MS - ((clock.now() - beganMs) % LOOK_EVERY_MS);
    reservation.look = clock.timer(waitMs, () => {
      reservation.look = undefined;
      const progress = bindingProgress(info, node, cluster);
      if (progress === "waiting") return;
      if (progress !== "bound") return giveUp(reservation, `binding volumes: ${progress.problem}`);
      end(reservation);
      bind(reservation.entry, node);
    });
  };

  return {
    reserve(entry, node, work) {
      const { info } = entry;
      const reservation: Reservation = { entry, info, node, work, beganMs: clock.now(), written: false };
      held.set(info.key, reservation);
      cluster.place(info, node.name);
      for (const claim of work.provision) promises.provision.set(claim.metadata.uid, node.name);
      for (const { claim, volume } of work.bind) {
        promises.volumes.set(claim.metadata.uid, volume.metadata.name);
        promises.claims.set(volume.metadata.name, claim.metadata.uid);
      }
      reservation.limit = clock.timer(BIND_TIMEOUT_MS, () =>
        giveUp(reservation, "binding volumes: context deadline exceeded"),
      );
      const writing = prepare(work, node.name).then(
        () => {
          reservation.written = true;
          if (isHeld(reservation)) lookSoon(reservation);
        },
        (error: unknown) => {
          if (isHeld(reservation)) giveUp(reservation, (error as Error).message);
        },
      );
      void clock.track(writing);
    },
    changed() {
      for (const reservation of held.values()) lookSoon(reservation);
    },
    drop(key) {
      const reservation = held.get(key);
      if (reservation) end(reservation);
      return reservation !== undefined;
    },
    stop() {
      for (const reservation of [...held.values()]) end(reservation);
    },
  };
}
