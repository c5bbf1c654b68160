#pragma once

#include <kj/string.h>

#include "schema/activity.capnp.h"

namespace bothy {

// What keeps workspaces awake, in words.

kj::StringPtr nameOf(rpc::AwakeReason::Kind kind);
// As settings and `bothy idle` have it: "pause-after".
kj::StringPtr nameOf(rpc::IdleFigure figure);
kj::Maybe<rpc::IdleFigure> idleFigure(kj::StringPtr name);
constexpr size_t IDLE_FIGURES = 11;

uint32_t valueOf(rpc::IdlePolicy::Reader policy, rpc::IdleFigure figure);
// "30m", "never", "no".
kj::String textOf(rpc::IdleFigure figure, uint32_t value);
// What textOf() gives, or another time or "0", "1"; none: it is no value of that.
kj::Maybe<uint32_t> parseFigure(rpc::IdleFigure figure, kj::StringPtr text);

// A table of them; empty where there are none.
kj::String tableOf(capnp::List<rpc::AwakeReason>::Reader reasons);
// Sentences on what comes, or what has come, of a workspace; a line each.
kj::String summaryOf(kj::StringPtr name, rpc::Wakefulness::Reader told);

}  // namespace bothy
