/** Every command there is: what is called, told of in the help, and completed. */

import type { Command } from "./command.ts";
import { BENCH } from "./commands/bench-command.ts";
import { BROKER } from "./commands/broker-command.ts";
import { CLUSTER_MEMBERS, CLUSTER_STATUS } from "./commands/cluster-commands.ts";
import { completionCommand } from "./commands/completion-command.ts";
import { CONSUME } from "./commands/consume-command.ts";
import { GROUP_DELETE, GROUP_LIST, GROUP_SHOW } from "./commands/group-commands.ts";
import { LOG_DUMP, LOG_STAT, LOG_VERIFY } from "./commands/log-commands.ts";
import {
  CLUSTER_ADD,
  CLUSTER_REMOVE,
  CLUSTER_REPLACE,
  CLUSTER_TRANSFER,
} from "./commands/membership-commands.ts";
import { NAMESERVER } from "./commands/nameserver-command.ts";
import { OFFSET_RESET, OFFSET_SHOW } from "./commands/offset-commands.ts";
import { PRODUCE } from "./commands/produce-command.ts";
import { PRODUCER_LIST, PRODUCER_SHOW } from "./commands/producer-commands.ts";
import { QUERY } from "./commands/query-command.ts";
import {
  TOPIC_ALTER,
  TOPIC_CREATE,
  TOPIC_DELETE,
  TOPIC_LIST,
  TOPIC_SHOW,
} from "./commands/topic-commands.ts";
import { UP } from "./commands/up-command.ts";

export const COMMANDS: readonly Command[] = [
  UP,
  NAMESERVER,
  BROKER,
  TOPIC_CREATE,
  TOPIC_LIST,
  TOPIC_SHOW,
  TOPIC_ALTER,
  TOPIC_DELETE,
  PRODUCE,
  CONSUME,
  QUERY,
  GROUP_LIST,
  GROUP_SHOW,
  GROUP_DELETE,
  PRODUCER_LIST,
  PRODUCER_SHOW,
  OFFSET_SHOW,
  OFFSET_RESET,
  CLUSTER_STATUS,
  CLUSTER_MEMBERS,
  CLUSTER_TRANSFER,
  CLUSTER_ADD,
  CLUSTER_REMOVE,
  CLUSTER_REPLACE,
  LOG_STAT,
  LOG_VERIFY,
  LOG_DUMP,
  BENCH,
  completionCommand(() => COMMANDS),
];
