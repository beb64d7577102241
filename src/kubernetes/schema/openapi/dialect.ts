/** Where OpenAPI 2 and 3 differ in how they say the same thing. Everything else in the documents is made once for both. */

export type Json = Record<string, unknown>;

export interface QueryParameter {
  name: string;
  description: string;
  type: "string" | "integer" | "boolean";
}

export interface Operation {
  /** Media type and component of the request body. */
  body?: { mediaTypes: readonly string[]; component: string } | undefined;
  query: readonly QueryParameter[];
  /** By status code; a response without a component is plain text. */
  responses: Readonly<Record<string, { description: string; component?: string | undefined }>>;
  produces: readonly string[];
}

export interface Dialect {
  readonly version: 2 | 3;
  /** A reference alone: items of lists, bodies, responses. */
  ref(component: string): Json;
  /** A reference from a property, which may carry a description and extensions of its own. */
  refProperty(component: string, extra: Json): Json;
  /** A value that is one of two scalars. */
  either(format: string | undefined, types: readonly string[]): Json;
  pathParameter(name: string, description: string): Json;
  /** The parts of an operation that depend on the dialect: parameters, body, media types, responses. */
  operation(operation: Operation): Json;
}

export const openApi3: Dialect = {
  version: 3,
  ref: (component) => ({ $ref: `#/components/schemas/${component}` }),
  // Siblings of $ref are ignored in OpenAPI 3.0, hence the list of one.
  refProperty: (component, extra) => ({ ...extra, allOf: [openApi3.ref(component)], default: {} }),
  either: (format, types) => ({ ...(format ? { format } : {}), oneOf: types.map((type) => ({ type })) }),
  pathParameter: (name, description) => ({
    name,
    in: "path",
    description,
    required: true,
    schema: { type: "string", uniqueItems: true },
  }),
  operation: ({ body, query, responses, produces }) => ({
    ...(query.length > 0
      ? {
          parameters: query.map(({ name, description, type }) => ({
            name,
            in: "query",
            description,
            schema: { type, uniqueItems: true },
          })),
        }
      : {}),
    ...(body ? { requestBody: { content: contents(body.mediaTypes, body.component), required: true } } : {}),
    responses: mapValues(responses, ({ description, component }) => ({
      description,
      content: component ? contents(produces, component) : { "text/plain": { schema: { type: "string" } } },
    })),
  }),
};

const contents = (mediaTypes: readonly string[], component: string): Json =>
  Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, { schema: openApi3.ref(component) }]));

export const openApi2: Dialect = {
  version: 2,
  ref: (component) => ({ $ref: `#/definitions/${component}` }),
  refProperty: (component, extra) => ({ ...extra, ...openApi2.ref(component) }),
  // OpenAPI 2 knows no alternatives: the string stands for both, as upstream has it.
  either: (format) => ({ type: "string", ...(format ? { format } : {}) }),
  pathParameter: (name, description) => ({
    name,
    in: "path",
    description,
    required: true,
    type: "string",
    uniqueItems: true,
  }),
  operation: ({ body, query, responses, produces }) => ({
    consumes: body?.mediaTypes ?? ["*/*"],
    produces,
    schemes: ["https"],
    parameters: [
      ...(body ? [{ name: "body", in: "body", required: true, schema: openApi2.ref(body.component) }] : []),
      ...query.map(({ name, description, type }) => ({ name, in: "query", description, type, uniqueItems: true })),
    ],
    responses: mapValues(responses, ({ description, component }) => ({
      description,
      ...(component ? { schema: openApi2.ref(component) } : { schema: { type: "string" } }),
    })),
  }),
};

const mapValues = <T>(record: Readonly<Record<string, T>>, change: (value: T) => unknown): Json =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
