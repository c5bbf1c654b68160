#include "rpc/welcome.h"

namespace bothy {

kj::Own<capnp::MallocMessageBuilder> newWelcome(uint16_t generation) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  message->initRoot<rpc::Welcome>().setGeneration(generation);
  return message;
}

kj::Own<capnp::MallocMessageBuilder> newRefusal(rpc::Refusal why, uint16_t oldest) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto welcome = message->initRoot<rpc::Welcome>();
  welcome.setRefused(why);
  if (why == rpc::Refusal::GENERATION_TOO_OLD) welcome.setOldest(oldest);
  return message;
}

}  // namespace bothy
