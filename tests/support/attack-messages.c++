#include "support/attack-messages.h"

#include <capnp/capability.h>
#include <capnp/serialize.h>

#include <kj/debug.h>

#include "schema/agent.capnp.h"
#include "schema/files.capnp.h"

namespace bothy {
namespace {

constexpr size_t LARGE_BYTES = 1024 * 1024 - 1024;
constexpr size_t SMALL_BYTES = 16;
// In a message of less than its limit on a lane, and on a control lane.
constexpr kj::uint CAPABILITIES_OF_A_MESSAGE = 100 * 1000;
constexpr kj::uint CAPABILITIES_OF_A_SMALL_MESSAGE = 3000;
// The most that a traversal limit of 8 MiB allows of what takes no byte.
constexpr kj::uint VOID_ELEMENTS = 1000 * 1000;
// In less than the 64 KiB that a message of a control lane may have.
constexpr kj::uint LEVELS = 3000;

// In LISTINGS and GIVEN_UP_DOWNLOADS.
constexpr uint32_t UNFINISHED = 200, UNFINISHED_DOWNLOADS = 4;

// In WAITING_CALLS: the questions that come first.
constexpr uint32_t BOOTSTRAP = 0, PROCESSES = 1, PROCESS = 2;

void append(kj::Vector<kj::byte>& out, kj::ArrayPtr<const capnp::word> words) {
  out.addAll(words.asBytes());
}

template <typename Fill>
void add(kj::Vector<kj::byte>& out, Fill&& fill) {
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<capnp::rpc::Message>());
  append(out, capnp::messageToFlatArray(message));
}

// A message with one list of structs of one element, which is made one of many elements without bytes.
template <typename Fill>
void addWithVoidList(kj::Vector<kj::byte>& out, Fill&& fill) {
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<capnp::rpc::Message>());
  auto words = capnp::messageToFlatArray(message);
  auto* at = reinterpret_cast<uint64_t*>(words.begin());
  // Before a list's elements stands a word that counts them, as a pointer to a struct does its offset, with the size of
  // each (https://capnproto.org/encoding.html, "Lists").
  for (size_t i = words.size() - 1;; --i) {
    KJ_REQUIRE(i > 1, "there is no list");
    const uint64_t sizes = at[i] >> 32;
    if ((at[i] & 0xffffffff) == 1 << 2 && sizes != 0) {
      // The pointer to it, of the kind "list of structs": its words are none.
      for (size_t j = i - 1;; --j) {
        KJ_REQUIRE(j > 0, "nothing points to the list");
        const bool isList = (at[j] & 3) == 1 && ((at[j] >> 32) & 7) == 7;
        if (isList && j + 1 + ((at[j] & 0xffffffff) >> 2) == i) {
          at[j] = (at[j] & 0xffffffff) | uint64_t(7) << 32;
          break;
        }
      }
      at[i] = uint64_t(VOID_ELEMENTS) << 2;
      append(out, words);
      return;
    }
  }
}

}  // namespace

bool AttackMessages::isClient() const {
  return plan.part != AttackerPart::AGENT && plan.part != AttackerPart::CONTROL;
}

bool AttackMessages::isDownload() const {
  return plan.attack == Attack::DOWNLOADS || plan.attack == Attack::GIVEN_UP_DOWNLOADS;
}

void AttackMessages::begin(kj::Vector<kj::byte>& out) {
  if (!isClient()) return;
  add(out, [&](auto message) { message.initBootstrap().setQuestionId(questions++); });
  if (plan.attack == Attack::WAITING_CALLS) askForProcess(out);
}

void AttackMessages::askForProcess(kj::Vector<kj::byte>& out) {
  add(out, [&](Message::Builder message) {
    auto call = addCall(message);
    call.getTarget().getPromisedAnswer().setQuestionId(BOOTSTRAP);
    call.setInterfaceId(capnp::typeId<rpc::Agent>());
    call.setMethodId(1);
    call.getParams().getContent().clear();
  });
  add(out, [&](Message::Builder message) {
    auto call = addCall(message);
    auto target = call.getTarget().getPromisedAnswer();
    target.setQuestionId(PROCESSES);
    target.initTransform(1)[0].setGetPointerField(0);
    call.setInterfaceId(capnp::typeId<rpc::Processes>());
    call.setMethodId(0);
    auto argv =
        call.getParams().getContent().initAs<rpc::Processes::ExecParams>().initCommand().initArgv(
            2);
    argv.set(0, "/bin/sleep");
    argv.set(1, "1000");
  });
}

capnp::rpc::Call::Builder AttackMessages::addCall(Message::Builder message) {
  auto call = message.initCall();
  call.setQuestionId(questions++);
  call.getSendResultsTo().setCaller();
  call.initParams();
  setTarget(call);
  nameMethod(call);
  return call;
}

void AttackMessages::setTarget(capnp::rpc::Call::Builder call) {
  auto target = call.initTarget();
  if (!isClient()) {
    target.setImportedCap(0);
  } else if (plan.attack == Attack::WAITING_CALLS) {
    auto answer = target.initPromisedAnswer();
    answer.setQuestionId(PROCESS);
    answer.initTransform(1)[0].setGetPointerField(0);
  } else {
    target.initPromisedAnswer().setQuestionId(BOOTSTRAP);
  }
}

void AttackMessages::nameMethod(capnp::rpc::Call::Builder call) {
  auto content = call.getParams().getContent();
  const size_t bytes = plan.attack == Attack::WRITES ? LARGE_BYTES : SMALL_BYTES;
  switch (plan.part) {
    case AttackerPart::AGENT:
    case AttackerPart::CONTROL:
      call.setInterfaceId(capnp::typeId<rpc::ByteSink>());
      content.initAs<rpc::ByteSink::WriteParams>().initData(bytes);
      return;
    case AttackerPart::INTERACTIVE:
      call.setInterfaceId(capnp::typeId<rpc::Agent>());
      call.setMethodId(2);  // system
      if (plan.attack == Attack::WRITES) content.initAs<capnp::Data>(bytes);
      return;
    case AttackerPart::COMMANDS:
      if (plan.attack == Attack::WAITING_CALLS) {
        call.setInterfaceId(capnp::typeId<rpc::Process>());
        call.setMethodId(0);  // wait
      } else {
        call.setInterfaceId(capnp::typeId<rpc::Agent>());
        call.setMethodId(1);  // processes
        if (plan.attack == Attack::WRITES) content.initAs<capnp::Data>(bytes);
      }
      return;
    case AttackerPart::FILES:
      call.setInterfaceId(capnp::typeId<rpc::Files>());
      if (plan.attack == Attack::LISTINGS) {
        call.setMethodId(1);
        auto list = content.initAs<rpc::Files::ListParams>();
        list.setPath("usr/bin"_kj.asBytes());
      } else if (isDownload()) {
        call.setMethodId(2);
        auto read = content.initAs<rpc::Files::ReadParams>();
        read.setPath(plan.attack == Attack::DOWNLOADS ? "bin/bash"_kj.asBytes()
                                                      : "etc/passwd"_kj.asBytes());
      } else {
        call.setMethodId(0);
        content.initAs<rpc::Files::StatParams>().initPath(bytes);
      }
      return;
  }
  KJ_UNREACHABLE;
}

void AttackMessages::addCapabilities(capnp::rpc::Payload::Builder payload) {
  const auto count = plan.part == AttackerPart::CONTROL ? CAPABILITIES_OF_A_SMALL_MESSAGE
                                                        : CAPABILITIES_OF_A_MESSAGE;
  for (auto capability : payload.initCapTable(count)) capability.setSenderHosted(exports++);
}

void AttackMessages::addFinish(uint32_t question, kj::Vector<kj::byte>& out) {
  add(out, [&](Message::Builder message) { message.initFinish().setQuestionId(question); });
}

void AttackMessages::addNested(kj::Vector<kj::byte>& out) {
  add(out, [&](Message::Builder message) {
    for (kj::uint i = 0; i < LEVELS; i++) message = message.initUnimplemented();
  });
}

void AttackMessages::next(kj::Vector<kj::byte>& out) {
  switch (plan.attack) {
    case Attack::UNKNOWN_KINDS:
      add(out, [](Message::Builder message) {
        message.initObsoleteSave().initAs<capnp::Data>(LARGE_BYTES);
      });
      return;
    case Attack::BOOTSTRAPS:
      add(out,
          [&](Message::Builder message) { message.initBootstrap().setQuestionId(questions++); });
      return;
    case Attack::CALLS:
    case Attack::WAITING_CALLS:
    case Attack::WRITES:
      add(out, [&](Message::Builder message) { addCall(message); });
      return;
    case Attack::LISTINGS:
      add(out, [&](Message::Builder message) { addCall(message); });
      // One that is finished before its answer is made is cancelled.
      if (questions > UNFINISHED) addFinish(questions - UNFINISHED, out);
      return;
    case Attack::DOWNLOADS:
    case Attack::GIVEN_UP_DOWNLOADS:
      add(out, [&](Message::Builder message) {
        auto params = addCall(message).getParams();
        params.initCapTable(1)[0].setSenderHosted(exports++);
        capnp::BuilderCapabilityTable table;
        table.imbue(params.getContent())
            .getAs<rpc::Files::ReadParams>()
            .setSink(rpc::ByteSink::Client(KJ_EXCEPTION(FAILED, "stands for the table's first")));
      });
      if (plan.attack == Attack::GIVEN_UP_DOWNLOADS && questions > UNFINISHED_DOWNLOADS + 1) {
        addFinish(questions - 1 - UNFINISHED_DOWNLOADS, out);
      }
      return;
    case Attack::TINY_MESSAGES:
      add(out, [](Message::Builder message) {
        message.initUnimplemented().initResolve().initCap().setNone();
      });
      return;
    case Attack::CAPABILITIES:
      add(out, [&](Message::Builder message) { addCapabilities(addCall(message).getParams()); });
      return;
    case Attack::VOID_CAPABILITIES:
      addWithVoidList(out, [&](Message::Builder message) {
        auto call = addCall(message);
        call.getParams().getContent().clear();
        call.getParams().initCapTable(1);
      });
      return;
    case Attack::VOID_TRANSFORMS:
      addWithVoidList(out, [&](Message::Builder message) {
        auto call = addCall(message);
        call.getParams().getContent().clear();
        auto answer = call.initTarget().initPromisedAnswer();
        answer.setQuestionId(BOOTSTRAP);
        answer.initTransform(1);
      });
      return;
    case Attack::ANSWERS:
      // Only what is asked is answered.
      return;
    case Attack::RESOLUTIONS:
      add(out, [&](Message::Builder message) {
        auto resolve = message.initResolve();
        resolve.setPromiseId(1000 * 1000);
        resolve.initCap().setSenderHosted(exports++);
      });
      return;
    case Attack::SEGMENTS: {
      const uint32_t header[] = {0xfffffffe, 1};
      out.addAll(kj::arrayPtr(header, 2).asBytes());
      return;
    }
    case Attack::SIZE: {
      const uint32_t header[] = {0, 0x20000000};
      out.addAll(kj::arrayPtr(header, 2).asBytes());
      return;
    }
    case Attack::NESTING:
      addNested(out);
      return;
  }
  KJ_UNREACHABLE;
}

void AttackMessages::answer(uint32_t question, kj::Vector<kj::byte>& out) {
  add(out, [&](Message::Builder message) {
    auto answer = message.initReturn();
    answer.setAnswerId(question);
    addCapabilities(answer.initResults());
  });
}

}  // namespace bothy
