/**
 * The AWS rest-json protocol, driven by the model alone: finds the operation, decodes and validates its input, runs its behaviour and writes its output.
 * Knows nothing of any operation, nor of the HTTP server around it.
 */
import { DomainError } from "../../domain/errors.js";
import type { OperationName } from "../model/generated/operations.js";
import { type Model, shapeOf } from "../model/model.js";
import type { Answer } from "./errors.js";
import { fromQuery, parseQuery } from "./query.js";
import { createRouter } from "./router.js";
import { createSerialiser } from "./serialise.js";
import { createValidator } from "./validate.js";

export interface RestJsonRequest {
  method: string;
  /** Path and query as they came, still encoded. */
  url: string;
  /** The undecoded body; empty or absent when there was none. */
  body?: Buffer | string | undefined;
}

/** Runs an operation whose input is valid. */
export type Dispatch<Context> = (operation: OperationName, input: object, context: Context) => object;

/** Everything about an operation that is worked out once. */
interface Plan {
  output: string;
  input: string;
  query: { member: string; as: string; type: ReturnType<typeof shapeOf>[string] }[];
  hasBody: boolean;
}

/**
 * A handler for one service. It throws: DomainErrors are answers of the service (see errorAnswer), anything else a bug. `prepare` gives the context of the
 * behaviour once the operation is known.
 */
export function createRestJson<Context>(options: {
  model: Model;
  dispatch: Dispatch<Context>;
}): (request: RestJsonRequest, context: Context & { requestId: string }) => Answer {
  const { model, dispatch } = options;
  const route = createRouter(model);
  const validate = createValidator(model);
  const serialise = createSerialiser(model);
  const plans = new Map<OperationName, Plan>();

  const planOf = (operation: OperationName): Plan => {
    const known = plans.get(operation);
    if (known) return known;
    const { input, output } = model.operations[operation];
    const members = Object.entries(shapeOf(model, input));
    const plan: Plan = {
      input,
      output,
      query: members.flatMap(([member, type]) =>
        type.in === "query" ? [{ member, as: type.as ?? member, type }] : [],
      ),
      hasBody: members.some(([, type]) => type.in === undefined),
    };
    plans.set(operation, plan);
    return plan;
  };

  return (request, context) => {
    const at = request.url.indexOf("?");
    const { operation, labels } = route(request.method, at < 0 ? request.url : request.url.slice(0, at));
    const plan = planOf(operation);
    const raw: Record<string, unknown> = plan.hasBody ? { ...parseBody(request.body) } : {};
    if (plan.query.length > 0) {
      const query = at < 0 ? undefined : parseQuery(request.url.slice(at + 1));
      for (const { member, as, type } of plan.query) {
        const values = query?.get(as);
        // A member that is bound to the query is not read from the body.
        raw[member] = values && fromQuery(type, as, values);
      }
    }
    Object.assign(raw, labels);
    const input = validate(plan.input, raw) as object;
    const output = dispatch(operation, input, context);
    return {
      status: 200,
      headers: { "content-type": "application/json", "x-amzn-requestid": context.requestId },
      body: serialise(plan.output, output),
    };
  };
}

function parseBody(body: Buffer | string | undefined): Record<string, unknown> {
  if (body === undefined || body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(typeof body === "string" ? body : body.toString("utf8"));
  } catch {
    throw new DomainError("SerializationException", "The request body is not valid JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DomainError("SerializationException", "The request body must be an object");
  }
  return value as Record<string, unknown>;
}

/** What a table of behaviour covers of its model. */
export function coverage(
  model: { operations: object },
  operations: object,
): Record<string, "implemented" | "not-implemented"> {
  return Object.fromEntries(
    Object.keys(model.operations).map((name) => [name, name in operations ? "implemented" : "not-implemented"]),
  );
}
