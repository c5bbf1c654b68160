#pragma once

#include <capnp/message.h>
#include <kj/array.h>
#include <kj/one-of.h>
#include <kj/string.h>
#include <kj/vector.h>

#include "schema/setup.capnp.h"

namespace bothy {

// What a client wants a workspace to be beyond its image, checked and in the forms in which it is stored.
struct GivenConfiguration {
  // As WorkspaceRow has them.
  kj::String labels = nullptr;
  // A Configuration of setup.capnp, canonical, with the id of its steps; empty: none.  Secret.
  kj::Array<const kj::byte> content = nullptr;
  uint32_t setupSteps = 0;

  // Or what is wrong with it: field, value and limit, one line.
  static kj::OneOf<GivenConfiguration, kj::String> of(capnp::List<rpc::Label>::Reader labels,
                                                      rpc::Configuration::Reader configuration);

  GivenConfiguration clone() const;
  // Equal for two exactly when they are; empty for one that says nothing.
  kj::String canonicalText() const;
};

// What is stored of a workspace, read for as long as this is there.
class StoredConfiguration final {
public:
  explicit StoredConfiguration(kj::ArrayPtr<const kj::byte> content);
  rpc::Configuration::Reader get();

private:
  kj::Array<capnp::word> words;
  const kj::ArrayPtr<const capnp::word> segment;
  capnp::SegmentArrayMessageReader reader;

  static kj::Array<capnp::word> copyOf(kj::ArrayPtr<const kj::byte> content);
};

// Of WorkspaceRow::labels: KEY=VALUE, split.
struct LabelPair {
  kj::ArrayPtr<const char> key;
  kj::ArrayPtr<const char> value;
};
kj::Vector<LabelPair> splitLabels(kj::StringPtr labels);
// Whether `labels` have all of `wanted`, which has the same form.
bool hasLabels(kj::StringPtr labels, kj::StringPtr wanted);
// The labels as a row has them, or what is wrong with them, as above.
struct LabelFault {
  kj::String why;
};
kj::OneOf<kj::String, LabelFault> joinLabels(capnp::List<rpc::Label>::Reader labels);

}  // namespace bothy
