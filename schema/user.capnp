@0xb5d6b1a1c0f0a011;
# Users: which workspaces each has, and that one runs when it is wanted.  A back end says who, and has a computer of his; sessions (session.capnp) and
# lanes to it are had as to any workspace, by the name that it has on this supervisor.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using CapacityTypes = import "capacity.capnp";
using SupervisorTypes = import "supervisor.capnp";
using WorkspaceTypes = import "workspace.capnp";

interface Users {
  # A user is whoever the platform means by a text of its own: 1 to `maxUserIdBytes` visible ASCII characters, opaque to the supervisor.  Nothing else is
  # known of him; take no name or address of a person's.  He may have several workspaces, each called by a name among his: one is "", the others are
  # as WorkspaceSpec.name has them.  On the supervisor a workspace has a name of its own (WorkspaceSpec.name of its info), made of what
  # people recognise of both and of random digits: operators use it, and `Supervisor` takes it; it is another's never, whatever users call themselves.

  ensure @0 (user :Text, name :Text, spec :WorkspaceTypes.WorkspaceSpec, progress :SupervisorTypes.Progress) -> (outcome :EnsureOutcome);
  # Returns when the user's workspace of this name runs.  One that is paused or hibernated is resumed, one that is stopped or has failed is started, one that has
  # expired is made anew of what it was made of, and where
  # he has none one is made of `spec`, whose `name` is empty.  Of one that is there `spec` is not looked at: it keeps what it was made of.  One that is being
  # stopped, resized, deleted or expires is waited for first.  One that has set-up steps to do, whether it was made by this call or ran before, is waited
  # for as `Supervisor.create` does: until they are done, one has failed, or their time or an hour is over (`WorkspaceInfo.setup`).
  # Where it dies or is paused meanwhile it is brought up again.
  #
  # Who asks for the same workspace while another's call is under way joins it: there is one start, and all get its outcome and hear of its progress; the
  # first one's `spec` counts.  A call that is dropped undoes nothing.  So a call that was not answered is made again; it makes no second workspace, also
  # after a restart of the supervisor.
  struct EnsureOutcome {
    union {
      ensured @0 :Ensured;
      invalid @1 :Text;
      # The call is refused: names the field, the value and the limit.
      noSuchImage @2 :Text;
      # The image's name.
      failed @3 :SupervisorTypes.Supervisor.StartFailure;
      # It did not start.  It exists, in state `failed`, but for these: one that could not be made does not exist, one that had expired and could
      # not be made anew is `expired` again, and one that could not be resumed is `paused` or `hibernated` as before.
      noSpace @4 :Text;
      # The host's disk cannot hold it.  Nothing was made.
      stopped @5 :WorkspaceTypes.WorkspaceInfo;
      # A `stop` came before its agent answered or its set-up was over; or its guest has powered itself off within that.
      busy @6 :WorkspaceTypes.WorkspaceState;
      # Others do something else with it, again and again, or it was deleted meanwhile: ask again.
      underway @7 :SupervisorTypes.Supervisor.Underway;
      # What it waits for goes on: ask again.
      noCapacity @8 :CapacityTypes.Shortage;
      # The host has not enough left of what is named.  Nothing was made, and the workspace is as it was.
    }
  }
  struct Ensured {
    # It runs.

    workspace @0 :WorkspaceTypes.WorkspaceInfo;
    done @1 :Done;
  }
  enum Done {
    # What was done for that from the beginning of this call on, or of the one that it joined.

    connected @0;  # nothing: it ran
    resumed @1;
    started @2;
    created @3;    # it was made, and started, also where another's call had begun that
    recreated @4;  # it had expired, and was made anew
  }

  list @1 (user :Text, after :Place, limit :UInt32) -> (workspaces :List(WorkspaceTypes.WorkspaceInfo), next :Place);
  # A page of the workspaces of this user, or where `user` is empty of all users, by user and name: those behind `after` (null: from the first).  At
  # most `limit` of them, and never more than `maxListedWorkspaces`; 0: that many.  `next`: the `after` of the next page; null: this is the last.
  struct Place {
    # Where a page ended, whether what was there is still there or not.

    user @0 :Text;
    name @1 :Text;
  }

  remove @2 (user :Text) -> (outcome :RemoveOutcome);
  # Deletes all workspaces that this user has at the call, as `Supervisor.delete` does.  One that is ensured meanwhile may stay.
  struct RemoveOutcome {
    deleted @0 :List(Text);
    # Names on the supervisor of those that are gone; none: he had none.
    remaining @1 :Text;
    # Of the first that is still being deleted, which goes on; the same call joins it again.  Empty: none is.
    underway @2 :SupervisorTypes.Supervisor.Underway;
    # Of that one.
  }
}
