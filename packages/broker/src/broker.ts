/**
 * A node of a broker group: a replica of the group's log, and the port that clients use.
 *
 *     client ──gRPC──> services ──> BrokerGroup ──> ReplicatedStateMachine ──> peers, disk
 *                          └──── reads ──── BrokerMachine <── applied entries ──┘
 */

import { join } from "node:path";
import {
  ADMIN_SERVICE,
  BROKER_SERVICE,
  COORDINATOR_SERVICE,
  MetricsPort,
  NODE_SERVICE,
  OFFSETS_SERVICE,
  OperationError,
  operationError,
  RpcServer,
} from "@quorumlog/protocol";
import { nodeFileSystem } from "@quorumlog/log";
import { BrokerRegistration } from "@quorumlog/nameserver";
import { type ReplicaEvent, ReplicatedStateMachine } from "@quorumlog/replica";
import { LmdbTables } from "@quorumlog/tables";
import { QueueIndex } from "./queue-index/queue-index.ts";
import { BrokerGroup } from "./broker-group.ts";
import { demandGroup } from "./group-folder.ts";
import { brokerMetrics, illnessOf, unreadinessOf } from "./broker-metrics.ts";
import { type BrokerOptions, type BrokerSettings, parseBrokerOptions } from "./broker-options.ts";
import { GroupCare } from "./group-care.ts";
import { OpenedParts } from "./opened-parts.ts";
import { MetadataFollower } from "./metadata-follower.ts";
import { AdminService } from "./rpc/admin-service.ts";
import { CoordinatorService } from "./rpc/coordinator-service.ts";
import { FetchService } from "./rpc/fetch-service.ts";
import { queryByKeyHandler } from "./rpc/key-query.ts";
import { groupView, nodeHandlers } from "./rpc/node-service.ts";
import { offsetsHandlers, queryOffsetsHandler } from "./rpc/offsets-service.ts";
import { ProducerNotes } from "./rpc/producer-notes.ts";
import type { ProducerSessions } from "./rpc/producer-sessions.ts";
import { publishHandler } from "./rpc/publish-service.ts";
import { RulesCare } from "./rules-care.ts";
import { BrokerMachine, METADATA_GROUP_ID, TABLE_NAMES } from "./state/broker-machine.ts";
import { RULES_VERSION } from "./state/rules.ts";

const CARE_MS = 100;
const LEAD_RETRY_MS = 100;
/** What is not synced of the index is applied again after a loss of power. */
const LOOKS_PER_SYNC = 20;

export class Broker {
  readonly group: BrokerGroup;
  readonly #server: RpcServer;
  readonly #coordinator: CoordinatorService;
  readonly #producers: ProducerNotes;
  readonly #care: GroupCare;
  readonly #rules: RulesCare;
  /** Where clients are told to reach this node. */
  readonly #address: string;
  readonly #registration: BrokerRegistration;
  readonly #follower: MetadataFollower;
  readonly #metrics: MetricsPort | undefined;
  readonly #onEvent: BrokerOptions["onEvent"];
  readonly #onDefect: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #looks = 0;
  /** What NameServers were told of the group last, as text. */
  #toldGroup = "";
  /** The term that it leads in, and that its services were told of. */
  #reign: number | undefined;
  #closing: Promise<void> | undefined;

  private constructor(init: {
    readonly group: BrokerGroup;
    readonly server: RpcServer;
    readonly coordinator: CoordinatorService;
    readonly producers: ProducerNotes;
    readonly care: GroupCare;
    readonly address: string;
    readonly registration: BrokerRegistration;
    readonly follower: MetadataFollower;
    readonly metrics: MetricsPort | undefined;
    readonly options: BrokerOptions;
  }) {
    this.#onEvent = init.options.onEvent;
    this.#onDefect = init.options.onDefect;
    this.#timer = setInterval(() => {
      this.#careForIndex();
    }, CARE_MS);
    this.group = init.group;
    this.#coordinator = init.coordinator;
    this.#producers = init.producers;
    this.#care = init.care;
    this.#care.start();
    this.#rules = new RulesCare({
      group: init.group,
      onRaised: (rulesVersion) => this.#onEvent?.({ type: "rulesRaised", rulesVersion }),
      onDefect: this.#onDefect,
    });
    this.#address = init.address;
    this.#registration = init.registration;
    this.#follower = init.follower;
    this.#server = init.server;
    this.#metrics = init.metrics;
  }

  /**
   * @param rulesVersion - The newest that are known. Of tests alone: a later version.
   * @throws OperationError, RulesVersionError, and the errors of `ReplicatedStateMachine.open`
   */
  static async open(options: BrokerOptions, rulesVersion: number = RULES_VERSION): Promise<Broker> {
    const settings = parseBrokerOptions(options);
    const opened = new OpenedParts();
    try {
      return await Broker.#open({ options, rulesVersion }, settings, opened);
    } catch (error) {
      await opened.close(options.onDefect);
      throw error;
    }
  }

  static async #open(
    { options, rulesVersion }: { options: BrokerOptions; rulesVersion: number },
    settings: BrokerSettings,
    opened: OpenedParts,
  ): Promise<Broker> {
    const { groupId, groupName, replica: node } = settings;
    const tables = new LmdbTables(TABLE_NAMES);
    const listeners: Partial<Listeners> = {};
    const fileSystem = node.fileSystem ?? nodeFileSystem;
    demandGroup(fileSystem, node.directory, groupId);
    const machine = new BrokerMachine({
      groupId,
      tables,
      rulesVersion,
      openIndex: () =>
        new QueueIndex({
          fileSystem,
          directory: join(node.directory, "queue-index"),
          onFailure: (error) => options.onIndexFailure?.(error),
        }),
      onStored: (keys) => listeners.fetches?.onStored(keys),
      onMetadata: () => {
        listeners.fetches?.onMetadata();
        listeners.admin?.onMetadata();
        listeners.broker?.onMetadata();
      },
      onAssigned: (name) => listeners.coordinator?.onAssigned(name),
    });
    const onEvent = (event: ReplicaEvent): void => {
      options.onEvent?.(event);
      listeners.broker?.group.onEvent(event);
      listeners.broker?.onRole();
    };
    opened.add(() => machine.close());
    const replica = await ReplicatedStateMachine.open(
      { ...node, checkpoint: tables, onEvent },
      machine,
    );
    opened.add(() => replica.close());
    machine.load();
    const group = new BrokerGroup({ groupId, name: groupName, replica, machine });
    const server = serverOf(options, settings);
    const producers = new ProducerNotes(group, options.onDefect);
    opened.add(() => {
      producers.close();
    });
    const services = serve(server, { group, producers, settings, options });
    const { fetches, admin, coordinator } = services;
    opened.add(() => server.close());
    await server.open();
    const metrics = await openMetrics(options, { group, server, producers: producers.sessions });
    opened.add(() => metrics?.close());
    const address = options.advertise ?? `${hostOf(options.listen)}:${server.port}`;
    const registration = register(options, settings, { group, address });
    opened.add(() => registration.close());
    const follower = new MetadataFollower({
      group,
      clusterId: node.clusterId,
      nameServers: settings.nameServers,
      tls: options.channelTls,
      onRegistered: (refusal) => listeners.broker?.onRegistered(refusal),
      onDefect: options.onDefect,
    });
    const care = careOf(options, settings, { group, coordinator, follower });
    const parts = { server, address, coordinator, producers, registration, follower, metrics };
    const broker = new Broker({ group, ...parts, care, options });
    Object.assign(listeners, { fetches, admin, coordinator, broker });
    broker.onRole();
    return broker;
  }

  /** Of the clients' address. */
  get port(): number {
    return this.#server.port;
  }

  /** Where figures are told, if they are. */
  get metricsPort(): number | undefined {
    return this.#metrics?.port;
  }

  /** Hands leadership over, and lets go of everything. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Something may have changed about who leads. @internal */
  onRole(): void {
    // A replica that closes tells of its peers until the end: nobody begins to lead by that.
    if (this.#closing !== undefined) return;
    this.group.look();
    this.#tellGroup();
    const { reign } = this.group;
    if (reign === this.#reign) return;
    this.#reign = reign;
    this.#coordinator.onRole(false);
    this.#follower.onRole(false);
    this.group.onRegistered(undefined);
    if (reign !== undefined) this.#lead(reign).catch(this.#onDefect);
  }

  /** The metadata group knows this group, or says why not. @internal */
  onRegistered(error: OperationError | undefined): void {
    const isNews = this.group.onRegistered(error);
    const { groupId, name: groupName } = this.group;
    if (isNews && error !== undefined)
      this.#onEvent?.({ type: "groupRefused", groupId, groupName, error });
  }

  /** Topics or configuration are others than before. @internal */
  onMetadata(): void {
    this.#registration.tell({ metadata: this.group.machine.metadata.view() });
  }

  /** NameServers hear of a new leader, or other members, at once. */
  #tellGroup(): void {
    const view = groupView(this.group);
    const text = JSON.stringify(view);
    if (text === this.#toldGroup) return;
    this.#toldGroup = text;
    this.#registration.tell({ group: view });
  }

  async #lead(reign: number): Promise<void> {
    while (reign === this.#reign) {
      try {
        await this.#begin(reign);
        return;
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
      }
      // Another one leads by now, or will; or this one goes on, once there is a quorum again.
      await new Promise((resolve) => setTimeout(resolve, LEAD_RETRY_MS));
    }
  }

  /** Once everything that was acknowledged before is applied here. */
  async #begin(reign: number): Promise<void> {
    await this.group.begin(this.#address);
    if (reign !== this.#reign) return;
    const { groupId, name } = this.group;
    // The metadata group is a broker group, too: topics have queues in it.
    if (groupId === METADATA_GROUP_ID) {
      const { error } = await this.group.execute({ registerGroup: { groupId, name } });
      if (reign !== this.#reign) return;
      this.onRegistered(error ? operationError(error) : undefined);
    }
    if (groupId === METADATA_GROUP_ID) this.#coordinator.onRole(true);
    else this.#follower.onRole(true);
  }

  /**
   * Now and then: what has come to the index goes to its files, and what was trimmed is dropped.
   */
  #careForIndex(): void {
    const { machine, replica } = this.group;
    machine.index.trim(replica.status().firstOffset);
    this.#looks += 1;
    if (this.#looks % LOOKS_PER_SYNC === 0) machine.index.sync();
    else machine.index.flush();
  }

  async #close(): Promise<void> {
    this.#reign = undefined;
    clearInterval(this.#timer);
    this.#coordinator.close();
    this.#producers.close();
    this.#care.close();
    this.#rules.close();
    await this.#follower.close();
    await this.group.replica.close();
    await this.#registration.close();
    await this.#server.close();
    await this.#metrics?.close();
    await this.group.machine.close();
  }
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}

function serverOf(options: BrokerOptions, settings: BrokerSettings): RpcServer {
  const { listen, tls, onDefect } = options;
  const { connectionCountMax, streamCountMax, unreadBytesMax } = settings;
  return new RpcServer({
    listen,
    connectionCountMax,
    streamCountMax,
    unreadBytesMax,
    ...(tls === undefined ? {} : { tls }),
    onDefect,
  });
}

function register(
  { channelTls: tls, onEvent }: BrokerOptions,
  { nameServers, heartbeatMs, replica }: BrokerSettings,
  { group, address }: { readonly group: BrokerGroup; readonly address: string },
): BrokerRegistration {
  return new BrokerRegistration(
    {
      nameServers,
      heartbeatMs,
      ...(tls === undefined ? {} : { tls }),
      ...(onEvent === undefined ? {} : { onEvent }),
    },
    {
      clusterId: replica.clusterId,
      nodeId: replica.nodeId,
      address,
      group: groupView(group),
      metadata: group.machine.metadata.view(),
    },
  );
}

function careOf(
  { onDefect, onEvent }: BrokerOptions,
  { groupRetentionMs: retentionMs }: BrokerSettings,
  init: {
    readonly group: BrokerGroup;
    readonly coordinator: CoordinatorService;
    readonly follower: MetadataFollower;
  },
): GroupCare {
  const { group, coordinator, follower } = init;
  return new GroupCare({
    group,
    retentionMs,
    findDormant: (request) =>
      group.groupId === METADATA_GROUP_ID
        ? coordinator.findDormant(request)
        : follower.findDormantGroups(request),
    onExpired: (groups) => {
      coordinator.onExpired(groups);
      onEvent?.({ type: "consumerGroupsExpired", groups });
    },
    onDefect,
  });
}

/** What the port does, service by service. */
function serve(
  server: RpcServer,
  init: {
    readonly group: BrokerGroup;
    readonly producers: ProducerNotes;
    readonly settings: BrokerSettings;
    readonly options: Pick<BrokerOptions, "onDefect">;
  },
): { fetches: FetchService; admin: AdminService; coordinator: CoordinatorService } {
  const { group, producers, settings } = init;
  const { onDefect } = init.options;
  const fetches = new FetchService(group, settings, onDefect);
  const admin = new AdminService(group, settings);
  const coordinator = new CoordinatorService(group, () => performance.now());
  server.handle(BROKER_SERVICE, {
    publish: publishHandler({ group, producers: producers.sessions, limits: settings, onDefect }),
    fetch: fetches.handler(),
    queryOffsets: queryOffsetsHandler(group),
    queryByKey: queryByKeyHandler(group),
    listProducers: producers.handler(),
  });
  server.handle(OFFSETS_SERVICE, offsetsHandlers(group, settings.recordBytesMax));
  server.handle(COORDINATOR_SERVICE, coordinator.handlers());
  server.handle(ADMIN_SERVICE, admin.handlers());
  server.handle(NODE_SERVICE, nodeHandlers(group, settings.replica.clusterId));
  return { fetches, admin, coordinator };
}

/** @returns `undefined` if none is asked for. */
async function openMetrics(
  { metrics: listen, metricsTls: tls, replica, onDefect }: BrokerOptions,
  {
    group,
    server,
    producers,
  }: {
    readonly group: BrokerGroup;
    readonly server: RpcServer;
    readonly producers: ProducerSessions;
  },
): Promise<MetricsPort | undefined> {
  if (listen === undefined) return undefined;
  return MetricsPort.open({
    listen,
    tls,
    metrics: brokerMetrics({
      group,
      producers,
      nodeId: replica.nodeId,
      port: server,
    }),
    illness: () => illnessOf(group),
    unreadiness: () => unreadinessOf(group),
    onDefect,
  });
}

/** What is told of changes, once it is there. */
interface Listeners {
  fetches: FetchService;
  admin: AdminService;
  coordinator: CoordinatorService;
  broker: Broker;
}
