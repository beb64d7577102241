/**
 * JSON Patch (RFC 6902) on immutable documents: only the containers on the way to a changed place are copied, everything else stays shared.
 * The operations themselves are those of fast-json-patch; limits and refusals are the API server's.
 */
import jsonPatch from "fast-json-patch";
import { badRequest, StatusError } from "../errors.js";
import { isObject, type JsonObject } from "./json.js";

/** The API server's own limit on the operations of one patch. */
const MAX_OPERATIONS = 10_000;

/** JSON bytes that `copy` operations of one patch may add, the API server's guard against patches that grow a document exponentially. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;

type Container = JsonObject | unknown[];

/**
 * Applies the operations in order and returns the changed document.
 * @throws StatusError 400 when `operations` is no array of objects, 413 above 10,000 operations, 422 when an operation is malformed, cannot be
 * applied or is a failing `test`.
 */
export function applyJsonPatch<T extends object>(doc: T, operations: unknown): T {
  if (!Array.isArray(operations))
    throw badRequest("json: cannot unmarshal the patch into an array of JSON Patch operations");
  if (!operations.every(isObject)) throw badRequest("json: every JSON Patch operation must be an object");
  if (operations.length > MAX_OPERATIONS) {
    throw new StatusError(
      413,
      "RequestEntityTooLarge",
      `Request entity is too large: The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${operations.length}`,
    );
  }
  const state: PatchState = { root: { doc }, owned: new WeakSet(), copiedBytes: 0 };
  operations.forEach((operation, index) => {
    applyOne(state, operation, index);
  });
  return state.root.doc as T;
}

interface PatchState {
  /** The document hangs in a holder, so that the root is replaced like any other member. */
  root: { doc: unknown };
  /** Containers made during this patch: safe to write to. */
  owned: WeakSet<object>;
  copiedBytes: number;
}

function applyOne(state: PatchState, given: JsonObject, index: number): void {
  let operation = given;
  const { op, path, from } = given;
  if (typeof path !== "string") throw unprocessable();
  try {
    if (op !== "test") ownParents(state, path);
    if (op === "replace" || op === "add") {
      const { value = null } = operation;
      // Upstream's library minds neither: no value is null, and what is to be replaced in an object need not be there.
      const anew = op === "replace" && !Array.isArray(parentOf(state.root.doc, path));
      operation = { ...operation, value, ...(anew && path !== "" ? { op: "add" } : {}) };
    }
    if (op === "move" && typeof from === "string") ownParents(state, from);
    if (op === "copy" && typeof from === "string") chargeCopy(state, from);
    state.root.doc = jsonPatch.applyOperation(
      state.root.doc,
      operation as unknown as jsonPatch.Operation,
      true,
      true,
      true,
      index,
    ).newDocument;
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw unprocessable();
  }
}

/** What holds the place that a pointer names; undefined when there is no such thing. */
const parentOf = (doc: unknown, path: string): unknown =>
  path
    .split("/")
    .slice(1, -1)
    .reduce<unknown>(
      (holder, name) =>
        typeof holder === "object" && holder !== null
          ? (holder as JsonObject)[name.replaceAll("~1", "/").replaceAll("~0", "~")]
          : undefined,
      doc,
    );

/** Copies every container from the root down to the parent of `path` that the patch does not own yet. */
function ownParents(state: PatchState, path: string): void {
  const names = path.split("/").slice(1);
  let holder: Container = state.root;
  let name = "doc";
  for (const next of names) {
    const child = (holder as JsonObject)[name];
    if (typeof child !== "object" || child === null) return;
    if (Array.isArray(child)) checkIndex(next);
    if (!state.owned.has(child)) {
      const copy: Container = Array.isArray(child) ? [...child] : { ...child };
      state.owned.add(copy);
      (holder as JsonObject)[name] = copy;
    }
    holder = (holder as JsonObject)[name] as Container;
    name = next.replaceAll("~1", "/").replaceAll("~0", "~");
  }
}

/** RFC 6901 forbids leading zeros in array indices. */
function checkIndex(token: string): void {
  if (!/^(?:-|0|[1-9]\d*)$/.test(token)) throw unprocessable();
}

function chargeCopy(state: PatchState, from: string): void {
  const value = from === "" ? state.root.doc : jsonPatch.getValueByPointer(state.root.doc, from);
  state.copiedBytes += Buffer.byteLength(JSON.stringify(value) ?? "");
  if (state.copiedBytes > MAX_COPIED_BYTES) {
    throw unprocessable();
  }
}

/** What the API server answers when a well-formed patch cannot be applied: it does not say why. */
const unprocessable = (): StatusError =>
  new StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {});
