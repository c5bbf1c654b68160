@0xb5d6b1a1c0f0a002;
# Every limit that both ends must agree on.  A limit of one program alone is a constant of that program.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");

const generation :UInt16 = 5;
# The protocol generation these schemas describe.  Both ends say theirs and use the smaller.

const oldestGeneration :UInt16 = 2;
# The oldest generation still served.

const requestIdsOfTerminals :UInt16 = 3;
# The generation from which on each agent knows the request ids of `Terminals.open`.

const lanesBeneath :UInt16 = 4;
# The generation from which on each agent knows lanes for files beneath a directory (`readBeneath`, `writeBeneath`).

const statefulTerminals :UInt16 = 4;
# The generation from which on input and size of a terminal belong to attachments.  A client that needs more than to look has nothing to
# call on an older agent, and says so.

const configuredAgents :UInt16 = 5;
# The generation from which on each agent can be configured (setup.capnp).

const agentPort :UInt32 = 1000;
# The vsock port on which the agent listens.  Binding ports below 1024 needs CAP_NET_BIND_SERVICE
# (vsock(7)), so no process of the user can take it first.

const maxChunkBytes :UInt32 = 1048576;
# Largest `data` of one ByteSink.write or Terminal.write, in bytes.

const preferredChunkBytes :UInt32 = 262144;
# What senders of output and of trees use: smaller costs throughput, larger holds more of the memory of a machine whose clients
# do not read.  Files go in four times as much while clients hold little.

const maxMessageWords :UInt64 = 1048576;
# Traversal limit of one message (8 MiB), in words of 8 bytes.  Larger messages are refused.

const maxNesting :UInt32 = 32;
# Pointer depth of one message.

const maxFlowWords :UInt64 = 1048576;
# Words in calls received and not yet answered on one connection, before no more is read from it.

const secretBytes :UInt32 = 32;
# Length of the per-boot secret, in bytes.

const maxPathBytes :UInt32 = 4096;
# Length of a path, in bytes, without a terminating NUL.  Names are limited by the file system (255).

const maxListEntries :UInt32 = 256;
# Entries in one page of Files.list: what the agent looks at before it hears others.

const maxTerminals :UInt32 = 256;
# Terminals open at a time in one workspace: those whose program runs, and those that are over while a viewer has not yet got
# all of their output.

const maxProcesses :UInt32 = 1024;
# Processes started through `Processes` and still running, in one workspace.

const userHeldUpAgent :Text = "userHeldUpAgent";
# The subject of a StartFailure with `limitReached` where no number is reached: the user's programs have held up the agent again less
# than a minute ago, and all of them were ended.

const maxMachineAgeMillis :UInt64 = 3153600000000;
# No machine is older than a hundred years, whatever is said of it: longer times are taken for this.

const maxViewers :UInt32 = 16;
# Clients attached to one terminal at a time.

const maxOnlookers :UInt32 = 8;
# Of `maxViewers`, those that may only look (`Terminals.view`).

const unwatchedBytesPerSecond :UInt32 = 8388608;
# What is read of all terminals together that nobody watches.  Above it their programs are held back, once they have been
# `scrollbackBytes` ahead: a flood that nobody sees does not take the machine.

const scrollbackBytes :UInt32 = 1048576;
# Output that a terminal keeps at most for whoever attaches later, in bytes: less where others need the room.

const maxArgumentBytes :UInt32 = 4194304;
# Sum of argv and environment of one command, as execve(2) counts it: in bytes with their NULs, and 8 bytes a text.  More
# than the guest's kernel takes of a program (2 MiB), so that the kernel decides; the longest list that fits the kernel's
# limit, of texts of a byte each, fits `maxMessageWords`.

const maxListedWorkspaces :UInt32 = 1000;
# Workspaces in one page of Supervisor.list.

const maxWorkspaceNameBytes :UInt32 = 63;
# Workspace names match [a-z0-9]([a-z0-9-]*[a-z0-9])? and are at most so long.

const maxUserIdBytes :UInt32 = 128;
# Length of a user's id (user.capnp).

const maxRequestIdBytes :UInt32 = 128;
# Length of a client's request id.

const maxRememberedRequests :UInt32 = 1024;
# Request ids of `Processes.exec` without a program, and of `Terminals.open` without a terminal, that one agent remembers, each; over
# it, the oldest is forgotten.

const maxLanes :UInt32 = 32;
# Lanes of one machine at a time, its control lane apart.  One more is refused.

const maxSessionLanes :UInt32 = 12;
# Of those, lanes of one session.

const maxActorLanes :UInt32 = 16;
# Of `maxLanes`, lanes of one actor (lane.capnp), whose Grant does not say `allLanes`.

const keptLanes :UInt32 = 8;
# Of `maxLanes`, the last that are free: an actor who has a lane already gets none of them, unless its Grant says `allLanes`.

const maxLaneLifetimeMillis :UInt64 = 3153600000000;
# Of a lane that ends by itself: 100 years.

const maxSpareLanes :UInt32 = 34;
# Connections of one machine that said Hello and wait for their Grant: as many clients as may come at the same time
# (`maxLanes`), the control lane and a spare that is kept for the next.  One more, and the oldest is closed.

const maxLaneTransfers :UInt32 = 8;
# `read`, `exportTree` and `importTree` under way at a time on one lane, and besides, trees that are packed and unpacked: an
# import is until its archive was unpacked or refused, or `TreeImport` is dropped.  One more waits for its turn.

const maxWaitingTransfers :UInt32 = 128;
# Such calls that wait for their turn on one lane.  One more fails with OVERLOADED.

const maxLaneAnswers :UInt32 = 1088;
# Calls of a client's on one lane that it has not finished, or that are not answered yet; a program's `wait` is one for as long
# as it runs.  As many as programs may run (`maxProcesses`), and some beside.  One more ends the lane.

const maxLaneExports :UInt32 = 4096;
# Capabilities of the agent's that a client keeps on one lane.  One more ends the lane.

const maxLaneUnreadBytes :UInt32 = 4194304;
# Answers that a client leaves unread on one lane: above it nothing more is read of the client until it has read.

const maxMessageCapabilities :UInt32 = 64;
# Capabilities in one message.  One more ends the connection.

const maxGivenCapabilities :UInt32 = 4096;
# Capabilities that one end of a connection has given and not been given back: sinks, viewers.  One more ends the connection.

const maxUnansweredCalls :UInt32 = 2048;
# Calls to one end of a connection, those of its sinks' methods say, that it leaves without an answer.  From half of it on
# streams to it wait; one more ends the connection.

const maxGraceMillis :UInt32 = 600000;
# Between the order that a machine end and SIGKILL to what still runs.

const maxTreeTransfers :UInt32 = 16;
# Trees that are packed and unpacked at a time for one user of a workspace, each by a process of its own, beside one of each lane: that one
# waits for no other lane's.  One more waits for its turn.

const maxLaneWriters :UInt32 = 256;
# Files that one lane has open by `Files.write` at a time: until `end` is done, or the sink has failed or is dropped.  One
# more fails with OVERLOADED.

const maxWriters :UInt32 = 4096;
# Of those, for one user of a workspace.  Each takes up to two descriptors, so an eighth of what a process of the agent's may have open.

const maxGreetingWords :UInt64 = 512;
# Size of a Hello, a Grant or a Welcome (4 KiB), in words.

const maxLaneNameBytes :UInt32 = 128;
# Length of a grant's session and actor, in bytes.

const maxBeneathBytes :UInt32 = 2048;
# Length of the path of a grant's directory, in bytes: it fits a greeting with all the names.

const hostCid :UInt32 = 2;
# VMADDR_CID_HOST (vsock(7)): the only peer from which the agent accepts.

const freezeLimitMillis :UInt32 = 5000;
# How long programs may take to stand still for `AgentControl.freeze`.  One that waits for a device does not before that has answered.
