import { accepts, elementOf, fieldOf, isPlain } from "./access.js";
/**
 * Turns a checked expression into functions that evaluate it. Every step adds to the cost in the units of cel-go, and evaluation stops once the cost
 * is above the limit: no expression can keep the process busy.
 */
import type { Checked } from "./checker.js";
import type { Overload } from "./functions/declare.js";
import type { CallNode, ComprehensionNode, MapNode, Node, StructNode } from "./nodes.js";
import { CelBudgetError, CelError, type TypeValue } from "./scalars.js";
import { BuiltObject, ListValue, MapValue, mapValue, Optional, type Value } from "./values.js";

export type Bindings = Readonly<Record<string, Value | (() => Value)>>;

/** One evaluation on its way. */
export interface Frame {
  readonly bindings: Bindings;
  /** Values of the variables of macros. */
  readonly slots: Value[];
  cost: number;
  readonly limit: number;
}

type Step = (frame: Frame) => Value;

const LIST_COST = 10;
const MAP_COST = 30;
const STRUCT_COST = 40;
/** What a macro's own bookkeeping costs for each item. */
const ITERATION_COST = 3;

function charge(frame: Frame, cost: number): void {
  frame.cost += cost;
  if (frame.cost > frame.limit) throw new CelBudgetError();
}

interface Scope {
  readonly name: string;
  readonly slot: number;
  readonly outer: Scope | undefined;
}

class Planner {
  slots = 0;
  constructor(readonly checked: Checked) {}

  declare(name: string, outer: Scope | undefined): Scope {
    return { name, slot: this.slots++, outer };
  }

  plan(node: Node, scope: Scope | undefined): Step {
    switch (node.node) {
      case "const": {
        const { value } = node;
        return () => value;
      }
      case "ident":
      case "select": {
        for (let at = node.node === "ident" ? scope : undefined; at; at = at.outer) {
          const { name, slot } = at;
          if (node.node !== "ident" || name !== node.name) continue;
          return (frame) => {
            charge(frame, 1);
            return frame.slots[slot] as Value;
          };
        }
        const named = this.checked.names.get(node);
        if (named) return this.#name(named);
        if (node.node === "ident") throw new Error(`unchecked name ${node.name}`);
        return this.#select(node, this.plan(node.operand, scope));
      }
      case "call":
        return this.#call(node, scope);
      case "list": {
        const steps = node.elements.map(({ value, optional }) => ({ step: this.plan(value, scope), optional }));
        return (frame) => {
          charge(frame, LIST_COST);
          const items: Value[] = [];
          for (const { step, optional } of steps) {
            const item = step(frame);
            if (!optional) items.push(item);
            else if (item instanceof Optional && item.present) items.push(item.value);
          }
          return new ListValue(items);
        };
      }
      case "map":
        return this.#map(node, scope);
      case "struct":
        return this.#struct(node, scope);
      case "comprehension":
        return this.#comprehension(node, scope);
      case "bind": {
        const inner = this.declare(node.variable, scope);
        const value = this.plan(node.value, scope);
        const body = this.plan(node.body, inner);
        return (frame) => {
          frame.slots[inner.slot] = value(frame);
          return body(frame);
        };
      }
      case "optMap": {
        const inner = this.declare(node.variable, scope);
        const target = this.plan(node.target, scope);
        const body = this.plan(node.body, inner);
        return (frame) => {
          const found = target(frame);
          if (!(found instanceof Optional)) throw new CelError("no such overload");
          if (!found.present) return Optional.none;
          frame.slots[inner.slot] = found.value;
          const result = body(frame);
          return node.flat ? result : Optional.of(result);
        };
      }
    }
  }

  #name(named: { variable: string } | { type: TypeValue }): Step {
    if ("type" in named) return () => named.type;
    const { variable } = named;
    return (frame) => {
      charge(frame, 1);
      const bound = frame.bindings[variable];
      const value = typeof bound === "function" ? bound() : bound;
      if (value === undefined) throw new CelError(`no such attribute(s): ${variable}`);
      return value;
    };
  }

  #select({ field, test, optional }: Node & { node: "select" }, operand: Step): Step {
    return (frame) => {
      charge(frame, 1);
      const outer = operand(frame);
      const chained = outer instanceof Optional;
      if (chained && !outer.present) return test ? false : Optional.none;
      const found = fieldOf(chained ? outer.value : outer, field);
      if (test) return found !== undefined;
      if (chained || optional) return found === undefined ? Optional.none : Optional.of(found);
      if (found === undefined) throw new CelError(`no such key: ${field}`);
      return found;
    };
  }

  #call(node: CallNode, scope: Scope | undefined): Step {
    const known = this.checked.calls.get(node);
    if (known) return this.#invoke(known.overloads, known.args, scope);
    const steps = (node.target ? [node.target, ...node.args] : node.args).map((argument) => this.plan(argument, scope));
    const [first, second, third] = steps as [Step, Step, Step];
    switch (node.name) {
      case "_?_:_":
        return (frame) => {
          charge(frame, 1);
          const condition = first(frame);
          if (typeof condition !== "boolean") throw new CelError("no such overload");
          return condition ? second(frame) : third(frame);
        };
      case "_&&_":
        return logical(first, second, false);
      case "_||_":
        return logical(first, second, true);
      case "or":
      case "orValue":
        return (frame) => {
          const optional = first(frame);
          if (!(optional instanceof Optional)) throw new CelError("no such overload");
          if (!optional.present) return second(frame);
          return node.name === "or" ? optional : optional.value;
        };
      default:
        // What is left is indexing through an optional, or with one as the result.
        return (frame) => {
          charge(frame, 1);
          const outer = first(frame);
          if (outer instanceof Optional && !outer.present) return Optional.none;
          const found = elementOf(outer instanceof Optional ? outer.value : outer, second(frame));
          return found === undefined ? Optional.none : Optional.of(found);
        };
    }
  }

  #invoke(overloads: readonly Overload[], nodes: readonly Node[], scope: Scope | undefined): Step {
    const steps = nodes.map((node) => this.plan(node, scope));
    const [only] = overloads;
    const certain = overloads.length === 1 && nodes.every((node) => isPlain(this.checked.typeOf(node)));
    return (frame) => {
      const args = steps.map((step) => step(frame));
      const overload = certain
        ? only
        : overloads.find(({ params }) => params.every((param, i) => accepts(param, args[i] as Value)));
      if (!overload) throw new CelError("no such overload");
      if (!overload.cost) {
        charge(frame, 1);
        return overload.call(...args);
      }
      // What goes over much is charged before it does; the size of what comes out is known only afterwards.
      charge(frame, overload.cost(args, null));
      const result = overload.call(...args);
      charge(frame, Math.max(0, overload.cost(args, result) - overload.cost(args, null)));
      return result;
    };
  }

  #map(node: MapNode, scope: Scope | undefined): Step {
    const steps = node.entries.map(({ key, value, optional }) => ({
      key: this.plan(key, scope),
      value: this.plan(value, scope),
      optional,
    }));
    return (frame) => {
      charge(frame, MAP_COST);
      const entries: [Value, Value][] = [];
      for (const { key, value, optional } of steps) {
        const name = key(frame);
        const content = value(frame);
        if (!optional) entries.push([name, content]);
        else if (content instanceof Optional && content.present) entries.push([name, content.value]);
      }
      return mapValue(entries);
    };
  }

  #struct(node: StructNode, scope: Scope | undefined): Step {
    const type = this.checked.structs.get(node);
    if (!type) throw new Error(`unchecked type ${node.type}`);
    const steps = node.fields.map(({ name, value, optional }) => ({ name, step: this.plan(value, scope), optional }));
    return (frame) => {
      charge(frame, STRUCT_COST);
      const fields = new Map<string, Value>();
      for (const { name, step, optional } of steps) {
        const content = step(frame);
        if (!optional) fields.set(name, content);
        else if (content instanceof Optional && content.present) fields.set(name, content.value);
      }
      return new BuiltObject(type, fields);
    };
  }

  #comprehension(node: ComprehensionNode, scope: Scope | undefined): Step {
    const range = this.plan(node.range, scope);
    const scopes: Scope[] = [];
    let inner = scope;
    for (const name of node.variables) {
      inner = this.declare(name, inner);
      scopes.push(inner);
    }
    const filter = node.filter && this.plan(node.filter, inner);
    const body = this.plan(node.body, inner);
    const [first, second] = scopes as [Scope, Scope | undefined];

    /** Sets the variables to one item after the other. */
    function* items(frame: Frame): Generator<Value> {
      const over = range(frame);
      const isList = over instanceof ListValue;
      if (!isList && !(over instanceof MapValue)) throw new CelError("no such overload");
      let index = 0n;
      for (const item of isList ? over : over.keys()) {
        charge(frame, ITERATION_COST);
        if (second) {
          frame.slots[first.slot] = isList ? index++ : item;
          frame.slots[second.slot] = isList ? item : (over.get(item) as Value);
        } else frame.slots[first.slot] = item;
        if (!filter || test(filter(frame))) yield isList && second ? index - 1n : item;
      }
    }

    switch (node.kind) {
      case "all":
        return quantifier(items, body, false);
      case "exists":
        return quantifier(items, body, true);
      case "existsOne":
        return (frame) => {
          let count = 0;
          for (const _ of items(frame)) if (test(body(frame))) count++;
          return count === 1;
        };
      case "filter":
        return (frame) => {
          const found: Value[] = [];
          for (const item of items(frame)) if (test(body(frame))) found.push(item);
          return new ListValue(found);
        };
      case "map":
      case "transformList":
        return (frame) => {
          const found: Value[] = [];
          for (const _ of items(frame)) found.push(body(frame));
          return new ListValue(found);
        };
      case "transformMap":
        return (frame) => {
          const found: [Value, Value][] = [];
          for (const key of items(frame)) found.push([key, body(frame)]);
          return mapValue(found);
        };
      case "transformMapEntry":
        return (frame) => {
          const found: [Value, Value][] = [];
          for (const _ of items(frame)) {
            const entry = body(frame);
            if (!(entry instanceof MapValue)) throw new CelError("no such overload");
            for (const key of entry.keys()) found.push([key, entry.get(key) as Value]);
          }
          return mapValue(found);
        };
    }
  }
}

function test(value: Value): boolean {
  if (typeof value !== "boolean") throw new CelError("no such overload");
  return value;
}

/** `&&` (decided by false) and `||` (decided by true): an error on one side does not matter when the other side decides. */
function logical(left: Step, right: Step, decisive: boolean): Step {
  return (frame) => {
    charge(frame, 1);
    let fault: CelError | undefined;
    try {
      if (test(left(frame)) === decisive) return decisive;
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      fault = error;
    }
    if (test(right(frame)) === decisive) return decisive;
    if (fault) throw fault;
    return !decisive;
  };
}

function quantifier(items: (frame: Frame) => Iterable<Value>, body: Step, decisive: boolean): Step {
  return (frame) => {
    let fault: CelError | undefined;
    for (const _ of items(frame)) {
      try {
        if (test(body(frame)) === decisive) return decisive;
      } catch (error) {
        if (!(error instanceof CelError)) throw error;
        fault ??= error;
      }
    }
    if (fault) throw fault;
    return !decisive;
  };
}

/** Evaluates with bindings up to a cost; throws CelError or CelBudgetError. */
export function plan(
  node: Node,
  checked: Checked,
): (bindings: Bindings, limit: number) => { value: Value; cost: number } {
  const planner = new Planner(checked);
  const step = planner.plan(node, undefined);
  return (bindings, limit) => {
    const frame: Frame = { bindings, slots: [], cost: 0, limit };
    return { value: step(frame), cost: frame.cost };
  };
}
