#pragma once

#include "workspace/operations/site.h"

namespace bothy {

enum class StopKind { ORDERLY, FORCED, ALREADY };

// Ends the machine of a workspace, in order if that can be.
class StopOperation final: public Operation {
public:
  static constexpr kj::StringPtr ASK = "ask"_kj, END = "end"_kj;

  // Of a machine that runs.  With the step END it is not asked.
  StopOperation(const Site& site, uint32_t graceMillis);
  // Of a start that is under way: `kind` says whether there was a machine already.
  StopOperation(const Site& site, StopKind kind);
  // That an earlier bothyd began; `parameters` as parameters() gives them.
  StopOperation(const Site& site, kj::StringPtr parameters);
  static kj::String parameters(uint32_t graceMillis) { return kj::str(graceMillis); }

  // What came of it.
  StopKind outcome() const;

  kj::StringPtr kind() const override { return nameOf(OperationKind::STOP); }
  kj::ArrayPtr<const Step> steps() const override;
  kj::Maybe<kj::Duration> limitOf(size_t step) const override;
  kj::Promise<void> run(size_t step) override;
  kj::Promise<size_t> resume(size_t step) override;
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;

private:
  const Site site;
  const uint32_t graceMillis;
  const bool isOfStart;
  // Its machine was gone before it could be asked.
  bool isGone = false;
  kj::Maybe<VmEnd> ended;
  kj::Maybe<StopKind> kindOfEnd;

  kj::Promise<void> ask();
  kj::Promise<void> requestPowerOff(Machine& machine);
  kj::Promise<void> end();
};

}  // namespace bothy
