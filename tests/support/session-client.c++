#include "support/session-client.h"

#include <kj/debug.h>

#include "lane/lane-descriptor.h"

namespace bothy {
namespace {

kj::Own<RpcConnection> connectTo(SupervisedHost& host) {
  // It serves both sockets then.
  host.wait(host.supervisor().versionRequest().send().ignoreResult(), "bothyd's answer");
  auto address = host.io.provider->getNetwork()
                     .parseAddress(kj::str("unix:", sessionSocket(host)))
                     .wait(host.scope);
  auto stream = address->connect().wait(host.scope);
  return kj::heap<RpcConnection>(stream.downcast<kj::AsyncCapabilityStream>(), 1);
}

capnp::Response<rpc::SessionGate::RedeemResults> redeem(SupervisedHost& host,
                                                        RpcConnection& connection,
                                                        kj::StringPtr token) {
  auto request = connection.bootstrap().castAs<rpc::SessionGate>().redeemRequest();
  request.setToken(token);
  return host.wait(request.send().dropPipeline(), "a token's session");
}

}  // namespace

kj::String sessionSocket(SupervisedHost& host) {
  return kj::str(host.directory(), "/run/sessions.sock");
}

MadeSession makeSession(SupervisedHost& host, kj::StringPtr workspace,
                        kj::Function<void(rpc::SessionRights::Builder)> rights,
                        uint64_t lifetimeMillis) {
  auto call = host.supervisor().sessionsRequest().send().getSessions().createRequest();
  auto request = call.initRequest();
  request.setWorkspace(workspace);
  rights(request.initRights());
  request.setLifetimeMillis(lifetimeMillis);
  auto response = host.wait(call.send().dropPipeline(), "a session");
  KJ_REQUIRE(response.getOutcome().isCreated(), response.getOutcome().which());
  auto created = response.getOutcome().getCreated();
  return {kj::str(created.getInfo().getId()), kj::str(created.getToken())};
}

bool revokeSession(SupervisedHost& host, kj::StringPtr id) {
  auto call = host.supervisor().sessionsRequest().send().getSessions().revokeRequest();
  call.initWhich().setId(id);
  auto response = host.wait(call.send().dropPipeline(), "a revocation");
  KJ_REQUIRE(!response.getOutcome().isEnding(), response.getOutcome());
  return response.getOutcome().isRevoked();
}

SessionClient::SessionClient(SupervisedHost& host, kj::StringPtr token)
    : host(host), connection(connectTo(host)), redeemed(redeem(host, *connection, token)) {}

bool SessionClient::isRefused() {
  return redeemed.getOutcome().isRefused();
}

rpc::Session::Client SessionClient::session() {
  KJ_REQUIRE(redeemed.getOutcome().isRedeemed());
  return redeemed.getSession();
}

SessionClient::Connected SessionClient::connect(
    kj::Function<void(rpc::LaneRequest::Builder)> want) {
  auto request = session().connectRequest();
  want(request.initWanted());
  return host.wait(request.send().dropPipeline(), "a session's lane");
}

kj::Own<Lane> SessionClient::openLane(kj::Function<void(rpc::LaneRequest::Builder)> want) {
  auto connected = connect(kj::mv(want));
  KJ_REQUIRE(connected.getOutcome().isConnected(), connected.getOutcome());
  auto stream = streamOf(connected.getLane(), host.io.unixEventPort).wait(host.scope);
  auto lane = kj::heap<Lane>(kj::mv(stream), host.timer);
  host.wait(lane->answer().ignoreResult(), "a lane's Welcome");
  return lane;
}

}  // namespace bothy
