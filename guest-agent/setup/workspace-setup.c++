#include "setup/workspace-setup.h"

#include <fcntl.h>
#include <unistd.h>

#include <kj/debug.h>

#include "process/output-pump.h"

namespace bothy {
namespace {

constexpr kj::StringPtr NO_DISK =
    "the workspace's disk cannot be used, and nothing is set up without one"_kj;

// What the journal was told: a fault that is no step's.
void requireNoted(const kj::Maybe<kj::String>& refused, kj::StringPtr what) {
  KJ_IF_MAYBE (why, refused)
    kj::throwFatalException(KJ_EXCEPTION(FAILED, kj::str(what, ": ", *why)));
}

}  // namespace

// What a step's command says.
class WorkspaceSetup::StepSink final: public rpc::ByteSink::Server {
public:
  StepSink(WorkspaceSetup& setup, kj::Own<SetupHelper> helper)
      : setup(setup), helper(kj::mv(helper)) {}

  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    setup.line.add(data);
    setup.tellSoon();
    return helper->output(data);
  }
  kj::Promise<void> end(EndContext) override { return kj::READY_NOW; }

private:
  WorkspaceSetup& setup;
  kj::Own<SetupHelper> helper;
};

WorkspaceSetup::WorkspaceSetup(Programs& programs, Disk disk, SetupHelper::Directories directories)
    : programs(programs), disk(disk), directories(kj::mv(directories)) {}

WorkspaceSetup::~WorkspaceSetup() noexcept(false) {}

rpc::SetupPlan::Reader WorkspaceSetup::steps() const {
  KJ_IF_MAYBE (message, plan) {
    return const_cast<capnp::MallocMessageBuilder&>(**message).getRoot<rpc::SetupPlan>().asReader();
  }
  return {};
}

void WorkspaceSetup::configure(rpc::Configuration::Reader configuration) {
  auto wanted = configuration.getSetup();
  KJ_REQUIRE(plan == nullptr || wanted.getId() == steps().getId(),
             "this boot has other set-up steps already");
  programs.environments.configure(configuration.getEnvironment());
  if (plan != nullptr) return;
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  message->setRoot(wanted);
  plan = kj::mv(message);
  if (wanted.getSteps().size() == 0 || programs.machineEnds) return;
  phase = Phase::READING;
  running = run().eagerlyEvaluate(
      [](kj::Exception&& e) { KJ_LOG(ERROR, "the set-up does not go on", e.getDescription()); });
}

void WorkspaceSetup::retry() {
  KJ_IF_MAYBE (waiting, retried) {
    phase = isRead ? Phase::RUNNING : Phase::READING;
    line = {};
    tell();
    isAsked = true;
    (*waiting)->fulfill();
    retried = nullptr;
  }
}

void WorkspaceSetup::close() {
  running = nullptr;
  retried = nullptr;
}

kj::Promise<void> WorkspaceSetup::onChange(uint64_t known) {
  while (revision <= known) co_await waiters.wait();
}

void WorkspaceSetup::writeTo(rpc::SetupStatus::Builder status) const {
  status.setRevision(revision);
  status.setDone(state.done);
  switch (phase) {
    case Phase::NOTHING:
    case Phase::READING:
      status.setNothing();
      break;
    case Phase::RUNNING:
      status.setRunning(line.text());
      break;
    case Phase::COMPLETE:
      status.setComplete();
      break;
    case Phase::FAILED:
      KJ_ASSERT_NONNULL(state.failure).writeTo(status.initFailed());
      break;
  }
}

void WorkspaceSetup::tell() {
  ++revision;
  lastTold = programs.timer.now();
  waiters.wakeAll();
}

void WorkspaceSetup::tellSoon() {
  if (isTellingLater) return;
  isTellingLater = true;
  const auto pause = static_cast<int64_t>(rpc::SETUP_LINE_MILLIS) * kj::MILLISECONDS;
  tellingLater = programs.timer.atTime(lastTold + pause)
                     .then([this]() {
                       isTellingLater = false;
                       tell();
                     })
                     .eagerlyEvaluate(nullptr);
}

kj::Promise<void> WorkspaceSetup::run() {
  while (phase != Phase::COMPLETE) {
    kj::Maybe<kj::Exception> fault;
    try {
      if (disk == Disk::NONE) {
        co_await fail(StepFailure::other(NO_DISK));
      } else {
        co_await runSteps();
      }
    } catch (...) {
      fault = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, fault) {
      KJ_LOG(WARNING, "the set-up cannot go on", e->getDescription());
      co_await fail(StepFailure::other(e->getDescription()));
    }
  }
}

// Until it is to be tried again.
kj::Promise<void> WorkspaceSetup::fail(StepFailure failure) {
  state.failure = kj::mv(failure);
  phase = Phase::FAILED;
  isAsked = false;
  auto paf = kj::newPromiseAndFulfiller<void>();
  retried = kj::mv(paf.fulfiller);
  tell();
  co_await paf.promise;
}

kj::Promise<void> WorkspaceSetup::runSteps() {
  auto helper = co_await SetupHelper::start(programs, directories);
  state = co_await helper->load(steps());
  isRead = true;
  const auto count = steps().getSteps().size();
  while (state.done < count) {
    const auto step = state.done;
    if (!isEnded(step)) {
      KJ_IF_MAYBE (before, state.failure) {
        if (!isAsked) {
          helper = nullptr;
          co_return co_await fail(before->clone());
        }
      }
      KJ_IF_MAYBE (failure, co_await tryStep(*helper, step)) {
        auto text = failure->line();
        auto refused = co_await helper->order(SetupFrame::FAIL, step, text.asBytes());
        requireNoted(refused, kj::str("that it has failed (", text, ") cannot be noted"));
        state.failure = kj::mv(*failure);
        continue;
      }
      ended = step;
    }
    auto refused = co_await helper->order(SetupFrame::DONE, step);
    requireNoted(refused, "that it is done cannot be noted");
    state = {step + 1};
    isAsked = false;
  }
  phase = Phase::COMPLETE;
  line = {};
  tell();
}

kj::Promise<kj::Maybe<StepFailure>> WorkspaceSetup::tryStep(SetupHelper& helper, uint32_t step) {
  if (isAsked) {
    auto refused = co_await helper.order(SetupFrame::RETRY, step);
    requireNoted(refused, "that it is to be done again cannot be noted");
    isAsked = false;
  }
  state.failure = nullptr;
  phase = Phase::RUNNING;
  line = {};
  tell();
  KJ_IF_MAYBE (refused, co_await helper.begin(step)) co_return kj::mv(*refused);
  auto outcome = co_await runStep(helper, step);
  // It has ended for that.
  if (programs.machineEnds) co_await kj::Promise<void>(kj::NEVER_DONE);
  co_return kj::mv(outcome);
}

kj::Promise<kj::Maybe<StepFailure>> WorkspaceSetup::runStep(SetupHelper& helper, uint32_t step) {
  switch (steps().getSteps()[step].which()) {
    case rpc::SetupStep::COMMAND:
      co_return co_await runCommand(helper, step);
    case rpc::SetupStep::FILE:
      co_return co_await place(helper, step);
    default:
      co_return StepFailure::other("this agent does not know such a step");
  }
}

kj::Promise<kj::Maybe<StepFailure>> WorkspaceSetup::place(SetupHelper& helper, uint32_t step) {
  kj::StringPtr owner = steps().getSteps()[step].getFile().getOwner();
  if (owner.size() == 0) owner = "root"_kj;
  auto found = [&]() {
    Touch touch(programs.anybodys);
    return programs.users.find(owner);
  }();
  if (found == nullptr) co_return StepFailure::other(kj::str("there is no user ", owner));
  auto& user = KJ_ASSERT_NONNULL(found);
  const uint32_t ids[] = {user.uid, user.gid};
  auto refused = co_await helper.order(SetupFrame::PLACE, step, kj::arrayPtr(ids, 2).asBytes());
  co_return refused.map([](kj::String& why) { return StepFailure::other(why); });
}

kj::Promise<kj::Maybe<StepFailure>> WorkspaceSetup::runCommand(SetupHelper& helper, uint32_t step) {
  auto wanted = steps().getSteps()[step].getCommand();
  capnp::MallocMessageBuilder message;
  auto command = message.initRoot<rpc::Command>();
  command.setArgv(wanted.getArgv());
  if (wanted.getRoot()) command.setUser("root");
  command.setTimeoutMillis(wanted.getTimeoutMillis() > 0 ? wanted.getTimeoutMillis()
                                                         : rpc::SETUP_STEP_MILLIS);
  auto prepared = prepareCommand(programs, command, EmptyArguments::REFUSED);
  KJ_IF_MAYBE (failure, prepared.tryGet<StartFailure>()) co_return StepFailure::of(*failure);
  auto& request = prepared.get<SpawnRequest>();

  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd ours(ends[0]), theirs(ends[1]);
  KJ_SYSCALL(fcntl(ours, F_SETFL, O_NONBLOCK));
  int null;
  KJ_SYSCALL(null = open("/dev/null", O_RDONLY | O_CLOEXEC));
  kj::AutoCloseFd nothing(null);
  request.standardFds[0] = nothing;
  request.standardFds[1] = request.standardFds[2] = theirs;
  auto outcome = co_await ChildProcess::start(programs, kj::mv(request));
  theirs = nullptr;
  KJ_IF_MAYBE (failure, outcome.tryGet<StartFailure>()) co_return StepFailure::of(*failure);
  auto& child = outcome.get<kj::Own<ChildProcess>>();
  OutputPump pump(programs.eventPort, programs.timer, programs.leftPipes, kj::mv(ours),
                  child->mark(), kj::heap<StepSink>(*this, helper.addRef()), nullptr);
  auto status = co_await child->onExit();
  pump.finish();
  co_await pump.onDone().catch_([](kj::Exception&&) {});
  co_return StepFailure::of(status);
}

}  // namespace bothy
