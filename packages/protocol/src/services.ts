/** The services of `proto/`. */

import {
  AddNodeRequest,
  AlterTopicRequest,
  ClaimReply,
  ClaimRequest,
  Cluster,
  CommitReply,
  CommitRequest,
  CoordinatorMessage,
  CreateTopicRequest,
  DeleteGroupReply,
  DeleteGroupRequest,
  DeleteOffsetsReply,
  DeleteOffsetsRequest,
  DeleteTopicReply,
  DeleteTopicRequest,
  DescribeGroupRequest,
  FetchReply,
  FetchRequest,
  FindDormantGroupsReply,
  FindDormantGroupsRequest,
  GetClusterRequest,
  GetOffsetsReply,
  GetOffsetsRequest,
  GetStatusRequest,
  GroupDescription,
  ListGroupsReply,
  ListGroupsRequest,
  ListOffsetGroupsReply,
  ListOffsetGroupsRequest,
  ListProducersReply,
  ListProducersRequest,
  MemberMessage,
  MembershipReply,
  Metadata,
  NodeStatus,
  PublishReply,
  PublishRequest,
  PutConfigurationReply,
  PutConfigurationRequest,
  QueryByKeyReply,
  QueryByKeyRequest,
  QueryOffsetsReply,
  QueryOffsetsRequest,
  RefreshGroupReply,
  RefreshGroupRequest,
  RegisterGroupReply,
  RegisterGroupRequest,
  Registration,
  RegistrationReply,
  RemoveNodeRequest,
  ReplaceNodeRequest,
  ResetOffsetsReply,
  ResetOffsetsRequest,
  Topic,
  TransferLeadershipRequest,
  WatchClusterRequest,
  WatchMetadataRequest,
} from "../generated/messages.js";
import { DUPLEX, methodsOf, SERVER_STREAM, UNARY } from "./rpc.ts";

const nameServer = methodsOf("quorumlog.v1.NameServer");
const broker = methodsOf("quorumlog.v1.Broker");
const coordinator = methodsOf("quorumlog.v1.Coordinator");
const offsets = methodsOf("quorumlog.v1.Offsets");
const admin = methodsOf("quorumlog.v1.Admin");
const node = methodsOf("quorumlog.v1.Node");

export const NAME_SERVER_SERVICE = {
  register: nameServer("Register", DUPLEX, Registration, RegistrationReply),
  watchCluster: nameServer("WatchCluster", SERVER_STREAM, WatchClusterRequest, Cluster),
  getCluster: nameServer("GetCluster", UNARY, GetClusterRequest, Cluster),
};

export const BROKER_SERVICE = {
  publish: broker("Publish", DUPLEX, PublishRequest, PublishReply),
  fetch: broker("Fetch", DUPLEX, FetchRequest, FetchReply),
  queryOffsets: broker("QueryOffsets", UNARY, QueryOffsetsRequest, QueryOffsetsReply),
  queryByKey: broker("QueryByKey", UNARY, QueryByKeyRequest, QueryByKeyReply),
  listProducers: broker("ListProducers", UNARY, ListProducersRequest, ListProducersReply),
};

export const COORDINATOR_SERVICE = {
  join: coordinator("Join", DUPLEX, MemberMessage, CoordinatorMessage),
  listGroups: coordinator("ListGroups", UNARY, ListGroupsRequest, ListGroupsReply),
  describeGroup: coordinator("DescribeGroup", UNARY, DescribeGroupRequest, GroupDescription),
  refreshGroup: coordinator("RefreshGroup", UNARY, RefreshGroupRequest, RefreshGroupReply),
  deleteGroup: coordinator("DeleteGroup", UNARY, DeleteGroupRequest, DeleteGroupReply),
  findDormantGroups: coordinator(
    "FindDormantGroups",
    UNARY,
    FindDormantGroupsRequest,
    FindDormantGroupsReply,
  ),
};

export const OFFSETS_SERVICE = {
  claim: offsets("Claim", UNARY, ClaimRequest, ClaimReply),
  commit: offsets("Commit", UNARY, CommitRequest, CommitReply),
  getOffsets: offsets("GetOffsets", UNARY, GetOffsetsRequest, GetOffsetsReply),
  resetOffsets: offsets("ResetOffsets", UNARY, ResetOffsetsRequest, ResetOffsetsReply),
  deleteOffsets: offsets("DeleteOffsets", UNARY, DeleteOffsetsRequest, DeleteOffsetsReply),
  listOffsetGroups: offsets(
    "ListOffsetGroups",
    UNARY,
    ListOffsetGroupsRequest,
    ListOffsetGroupsReply,
  ),
};

export const ADMIN_SERVICE = {
  createTopic: admin("CreateTopic", UNARY, CreateTopicRequest, Topic),
  alterTopic: admin("AlterTopic", UNARY, AlterTopicRequest, Topic),
  deleteTopic: admin("DeleteTopic", UNARY, DeleteTopicRequest, DeleteTopicReply),
  putConfiguration: admin(
    "PutConfiguration",
    UNARY,
    PutConfigurationRequest,
    PutConfigurationReply,
  ),
  registerGroup: admin("RegisterGroup", UNARY, RegisterGroupRequest, RegisterGroupReply),
  watchMetadata: admin("WatchMetadata", SERVER_STREAM, WatchMetadataRequest, Metadata),
};

export const NODE_SERVICE = {
  getStatus: node("GetStatus", UNARY, GetStatusRequest, NodeStatus),
  transferLeadership: node("TransferLeadership", UNARY, TransferLeadershipRequest, MembershipReply),
  addNode: node("AddNode", UNARY, AddNodeRequest, MembershipReply),
  removeNode: node("RemoveNode", UNARY, RemoveNodeRequest, MembershipReply),
  replaceNode: node("ReplaceNode", UNARY, ReplaceNodeRequest, MembershipReply),
};
