/**
 * The aws-query protocol, driven by the model alone: a form with `Action`, members as `Tags.member.1.Key`; answers and errors in XML. Knows nothing of any
 * operation, nor of the HTTP server around it.
 */
import { IamError } from "../../domain/iam-errors.js";
import type { Member, Type } from "../model/model.js";
import { queryConstraints } from "../model/query-constraints.js";
import type { QueryModel } from "../model/query-model.js";
import type { Answer } from "./errors.js";
import { parseQuery } from "./query.js";
import type { RestJsonRequest } from "./rest-json.js";
import { writeXml } from "./xml.js";

/** Parameters of a call, in the query of a GET or the body of a POST. */
export function queryParameters({ url, body }: RestJsonRequest): Map<string, string> {
  const at = url.indexOf("?");
  const text = body === undefined ? "" : body.toString();
  const parameters = new Map<string, string>();
  for (const part of [at < 0 ? "" : url.slice(at + 1), text])
    for (const [name, values] of parseQuery(part)) parameters.set(name, values[0] ?? "");
  return parameters;
}

/** Whether a request is of this protocol, by its form alone: which answers a client of it can read. */
export function isQueryRequest(request: RestJsonRequest, contentType: string | undefined): boolean {
  if (contentType?.toLowerCase().startsWith("application/x-www-form-urlencoded")) return true;
  return /^\/\?(.*&)?Action=/.test(request.url);
}

/** Runs an operation whose input is well formed. */
export type QueryDispatch<Context> = (operation: string, input: object, context: Context) => object | Promise<object>;

/** A handler for one service. It throws IamErrors for what is refused; see queryErrorAnswer. */
export function createQueryService<Context>(options: {
  model: () => QueryModel;
  dispatch: QueryDispatch<Context>;
}): (request: RestJsonRequest, context: Context & { requestId: string }) => Answer | Promise<Answer> {
  return (request, context) => {
    const model = options.model();
    const parameters = queryParameters(request);
    const action = parameters.get("Action");
    if (!action) throw new IamError("MissingAction", "The request is missing an action or a required parameter.");
    const operation = Object.hasOwn(model.operations, action) ? model.operations[action] : undefined;
    const version = parameters.get("Version") ?? "";
    if (!operation || (version !== "" && version !== model.version))
      throw new IamError(
        "InvalidAction",
        `Could not find operation ${action} for version ${version || "NO_VERSION_SPECIFIED"}`,
      );
    const input = readInput(model, operation.input, parameters);
    const answered = (output: object): Answer => ({
      status: 200,
      headers: { "content-type": "text/xml", "x-amzn-requestid": context.requestId },
      body: writeXml(model, { action, shape: operation.output, output, requestId: context.requestId }),
    });
    const output = options.dispatch(action, input, context);
    return output instanceof Promise ? output.then(answered) : answered(output);
  };
}

const invalid = (problems: readonly string[]): IamError =>
  new IamError(
    "ValidationError",
    `${problems.length} validation error${problems.length === 1 ? "" : "s"} detected: ${problems.join("; ")}`,
  );

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function readInput(model: QueryModel, shape: string, parameters: ReadonlyMap<string, string>): object {
  const problems: string[] = [];
  // Whether anything of a structure is there is asked for each of its members: parts of names are looked up, not searched for.
  const prefixes = new Set<string>();
  for (const name of parameters.keys()) {
    for (let at = name.indexOf("."); at >= 0; at = name.indexOf(".", at + 1)) prefixes.add(name.slice(0, at));
  }

  const structure = (name: string, prefix: string, path: string): Record<string, unknown> => {
    const result: Record<string, unknown> = {};
    for (const [member, type] of Object.entries(model.shapes[name] ?? {})) {
      const where = path === "" ? lowerFirst(member) : `${path}.${lowerFirst(member)}`;
      const value = read(type, `${prefix}${member}`, where);
      if (value === undefined) {
        if (type.required)
          problems.push(`Value null at '${where}' failed to satisfy constraint: Member must not be null`);
        continue;
      }
      const problem = constraintProblem(model, name, member, type, value, where);
      if (problem !== undefined) problems.push(problem);
      result[member] = value;
    }
    return result;
  };

  const read = (type: Type, name: string, path: string): unknown => {
    switch (type.type) {
      case "structure":
        return prefixes.has(name) ? structure(type.shape, `${name}.`, path) : undefined;
      case "list": {
        // An empty list is a parameter of its own without a value.
        if (!prefixes.has(name)) return parameters.has(name) ? [] : undefined;
        const items: unknown[] = [];
        for (let index = 1; ; index++) {
          const item = read(type.of, `${name}.member.${index}`, `${path}.${index}.member`);
          if (item === undefined) return items;
          items.push(item);
        }
      }
      case "map": {
        if (!prefixes.has(name)) return undefined;
        const entries: [string, unknown][] = [];
        for (let index = 1; ; index++) {
          const key = parameters.get(`${name}.entry.${index}.key`);
          if (key === undefined) return Object.fromEntries(entries);
          entries.push([key, read(type.value, `${name}.entry.${index}.value`, `${path}.${key}`)]);
        }
      }
      default: {
        const text = parameters.get(name);
        return text === undefined ? undefined : scalar(type.type, text, name);
      }
    }
  };

  const input = structure(shape, "", "");
  if (problems.length > 0) throw invalid(problems);
  return input;
}

function scalar(type: string, text: string, name: string): unknown {
  if (type === "integer") {
    if (/^-?\d{1,15}$/.test(text)) return Number(text);
    throw new IamError("MalformedInput", `${name} must be an integer`);
  }
  if (type === "boolean") {
    if (/^(true|false)$/i.test(text)) return text.toLowerCase() === "true";
    throw new IamError("MalformedInput", `${name} must be true or false`);
  }
  if (type === "timestamp") {
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) return ms;
    throw new IamError("MalformedInput", `${name} must be a timestamp`);
  }
  return text;
}

function constraintProblem(
  model: QueryModel,
  shape: string,
  member: string,
  type: Member,
  value: unknown,
  path: string,
): string | undefined {
  const shown = `Value '${String(value)}' at '${path}' failed to satisfy constraint:`;
  const values = type.enum === undefined ? undefined : model.enums[type.enum];
  if (values && typeof value === "string" && !values.includes(value))
    return `${shown} Member must satisfy enum value set: [${values.join(", ")}]`;
  const { min, max, pattern } = queryConstraints(shape, member) ?? {};
  if (typeof value === "number") {
    if (min !== undefined && value < min) return `${shown} Member must have value greater than or equal to ${min}`;
    if (max !== undefined && value > max) return `${shown} Member must have value less than or equal to ${max}`;
  }
  if (typeof value !== "string") return undefined;
  if (min !== undefined && value.length < min)
    return `${shown} Member must have length greater than or equal to ${min}`;
  if (max !== undefined && value.length > max) return `${shown} Member must have length less than or equal to ${max}`;
  if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`, "s").test(value))
    return `${shown} Member must satisfy regular expression pattern: ${pattern}`;
  return undefined;
}
