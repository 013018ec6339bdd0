export { type Codec, jsonCodec, textCodec } from "./codec.ts";
export type { LateRow, LateRows } from "./late-rows.ts";
export type { Table, Tables } from "./table.ts";
export { MemoryTables } from "./memory-tables.ts";
export { LmdbTables, type LmdbTablesOptions } from "./lmdb-tables.ts";
export type { LmdbDatabase, LmdbRoot, OpenEnvironment } from "./lmdb-api.ts";
export { StateVersionError } from "./state-version-error.ts";
export { KEY_BYTES_MAX, rowProblem, VALUE_BYTES_MAX } from "./row-limits.ts";
