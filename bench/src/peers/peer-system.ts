/** What the bench asks of every system: the same things in the same words, of ours, too. */

export type FolderFlag = "kafka";

/** Folders that were given, by flags. */
export type GivenFolders = Readonly<Record<FolderFlag, string | undefined>>;

/** A system that may be installed, and how it is started on this machine. */
export interface PeerSystem {
  readonly name: string;
  /** Files that are looked for where programs are; all are needed. */
  readonly programs: readonly string[];
  /** A flag that names a folder of its jars: no package has it. */
  readonly folderFlag?: FolderFlag;
  /** The command that installs it, or what to do else. */
  readonly install: string;
  /**
   * Starts three nodes on free ports of loopback; returns when all three serve.
   *
   * @param directory - For everything they write; whoever calls removes it.
   * @param jars - What {@link PeerSystem.folderFlag} was given, if there is one.
   */
  readonly start: (directory: string, jars: string) => Promise<PeerCluster>;
  /** Used in a client process. */
  readonly connect: (addresses: readonly string[]) => Promise<PeerClient>;
}

export interface PeerCluster {
  readonly version: string;
  /** What a disk has of a message when it is acknowledged. */
  readonly durability: string;
  /** Of everything that was started; their children are found by them. */
  readonly pids: () => readonly number[];
  /** With three replicas. */
  readonly createTopic: (topic: string) => Promise<void>;
  readonly deleteTopic: (topic: string) => Promise<void>;
  /** For clients; the topic's leader first, if that is known. */
  readonly addresses: (topic: string) => Promise<readonly string[]>;
  /** Ends the node that leads the topic, by SIGKILL, and returns when the kernel was told. */
  readonly killLeader: (topic: string) => Promise<void>;
  /** Starts what was killed; returns when it has caught up. */
  readonly restart: (topic: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface PeerClient {
  /** @param body - Not written to before the promise settles. */
  readonly send: (topic: string, body: Buffer) => Promise<unknown>;
  /**
   * Reads everything from the first message on, and what comes, until it is stopped.
   *
   * @param onBody - The bytes are borrowed until it returns.
   */
  readonly read: (topic: string, onBody: (body: Uint8Array) => void) => Promise<Reader>;
  readonly close: () => Promise<void>;
}

export interface Reader {
  readonly stop: () => Promise<void>;
}

export const NODE_COUNT = 3;
/** For what servers do at the start and in between; a machine that is busy takes long. */
export const SERVER_DEADLINE_MS = 120_000;
/** A send that takes longer has failed. */
export const SEND_DEADLINE_MS = 30_000;
