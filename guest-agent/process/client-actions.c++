#include "process/client-actions.h"

namespace bothy {
namespace {

class Unnoted final: public ClientActions {
public:
  kj::Own<AskedStart> asked(ProgramKind, rpc::Command::Reader) override {
    return kj::heap<UnnotedStart>();
  }
  void did(kj::StringPtr, ProgramKind, uint64_t) override {}

private:
  class UnnotedStart final: public AskedStart {
    void started(uint64_t) override {}
    void failed() override {}
  };
};

}  // namespace

kj::Own<ClientActions> unnotedActions() {
  return kj::refcounted<Unnoted>();
}

}  // namespace bothy
