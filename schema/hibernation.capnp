@0xb5d6b1a1c0f0a017;
# Workspaces whose memory is kept on the host's disk.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using CapacityTypes = import "capacity.capnp";
using WorkspaceTypes = import "workspace.capnp";

struct HibernateOutcome {
  union {
    hibernated @0 :WorkspaceTypes.WorkspaceInfo;
    absent @1 :Void;
    notRunning @2 :WorkspaceTypes.WorkspaceState;
    # There is nothing to hibernate, or something else is under way.
    failed @3 :Text;
    # One line, for people: it is as it was before, or what has become of it meanwhile is its state.
    noSpace @4 :Text;
    # The host's disk cannot hold its memory; one line with the figures.  It is as it was before.
    underway @5 :Text;
    # Its memory is saved, and what came of that could not be stored for long; why, if it is known.
    noCapacity @6 :CapacityTypes.Shortage;
    # The host's disk has too little room for its memory beside what must stay free.  Nothing was done.
  }
}
