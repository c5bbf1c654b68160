#include "session/session-registry.h"

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "schema/limits.capnp.h"
#include "schema/session.capnp.h"
#include "wire/escape.h"
#include "workspace/steps.h"
#include "workspace/workspace-id.h"

namespace bothy {
namespace {

constexpr uint64_t LEAST_LIFETIME_MILLIS = 1000;

kj::Maybe<kj::String> nameFault(kj::StringPtr field, kj::StringPtr text, size_t limit) {
  if (text.size() > limit) {
    return kj::str(field, " has ", text.size(), " bytes: it must be at most ", limit);
  }
  for (kj::byte c : text.asBytes()) {
    if (c < 0x20 || c == 0x7f) return kj::str(field, " holds a control character: it must be text");
  }
  return nullptr;
}

kj::Maybe<kj::String> faultOf(const SessionRegistry::Request& request) {
  KJ_IF_MAYBE (fault, request.rights.fault()) return kj::mv(*fault);
  if (request.lifetimeMillis < LEAST_LIFETIME_MILLIS ||
      request.lifetimeMillis > rpc::MAX_SESSION_MILLIS) {
    return kj::str("lifetimeMillis is ", request.lifetimeMillis, ": it must be ",
                   LEAST_LIFETIME_MILLIS, " to ", rpc::MAX_SESSION_MILLIS, " (366 days)");
  }
  KJ_IF_MAYBE (fault, nameFault("label", request.label, rpc::MAX_SESSION_LABEL_BYTES)) {
    return kj::mv(*fault);
  }
  KJ_IF_MAYBE (fault, nameFault("actor", request.actor, rpc::MAX_SESSION_ACTOR_BYTES)) {
    return kj::mv(*fault);
  }
  if (request.requestId.size() > rpc::MAX_REQUEST_ID_BYTES) {
    return kj::str("requestId has ", request.requestId.size(), " bytes: it must be at most ",
                   rpc::MAX_REQUEST_ID_BYTES);
  }
  return nullptr;
}

bool askForTheSame(const SessionRow& a, const SessionRow& b) {
  return a.workspaceId == b.workspaceId && a.verbs == b.verbs && a.beneath == b.beneath &&
         a.label == b.label && a.actor == b.actor &&
         a.expiresNanos - a.createdNanos == b.expiresNanos - b.createdNanos;
}

kj::Array<const kj::byte> bytesOf(const Sha256& hash) {
  return kj::heapArray<const kj::byte>(hash.bytes, sizeof(hash.bytes));
}

}  // namespace

SessionRegistry::SessionRegistry(World worldParam, WorkspaceManager& manager, Limits limits)
    : world(worldParam),
      manager(manager),
      limits(limits),
      cuts(world.timer, manager),
      tasks(*this) {
  manager.onGone([this](kj::StringPtr id) { workspaceGone(id); });
}

SessionRegistry::~SessionRegistry() noexcept(false) {
  manager.onGone([](kj::StringPtr) {});
  // What goes on in a session holds it.
  tasks.clear();
  sessions.abandon();
}

void SessionRegistry::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a task of the sessions failed", exception.getDescription());
}

void SessionRegistry::enter(kj::Array<SessionRow> found) {
  for (auto& row : found) {
    // It may have gone since they were read, and its sessions with it.
    if (manager.viewById(row.workspaceId) == nullptr) continue;
    KJ_IF_MAYBE (fault, SessionRights::of(row).fault()) {
      KJ_LOG(ERROR, "the rights of a session are damaged: it counts as revoked", row.id, *fault);
      if (row.revokedNanos == 0) row.revokedNanos = 1;
    }
    const bool isRevoked = row.revokedNanos != 0;
    auto session = insert(kj::mv(row), Session::Origin::FOUND);
    // One that has expired is due at once.
    if (isRevoked) end(*session, SessionEnd::REVOKED);
  }
}

kj::Own<Session> SessionRegistry::insert(SessionRow row, Session::Origin origin) {
  auto session = kj::refcounted<Session>(kj::mv(row), origin);
  sessions.insert(session->addRef());
  if (!session->isClosed()) awaitDue();
  return session;
}

kj::Duration SessionRegistry::timeLeft(const Session& session) const {
  return kj::max((session.row().expiresNanos - now()) * kj::NANOSECONDS, 0 * kj::NANOSECONDS);
}

// ---------------------------------------------------------------------------------------------
// Beginnings

kj::Promise<void> SessionRegistry::store(Change change) {
  auto committed = co_await world.store.commit(kj::mv(change));
  world.events.reached(committed.lastEvent);
}

uint32_t SessionRegistry::mostOf(const WorkspaceView& workspace) const {
  KJ_IF_MAYBE (tier, manager.tiers().find(workspace.tier)) return tier->sessions;
  return limits.ofWorkspace;
}

kj::Promise<SessionRegistry::CreateOutcome> SessionRegistry::create(Request request) {
  KJ_IF_MAYBE (fault, faultOf(request)) co_return Invalid{kj::mv(*fault)};
  auto claim = co_await claims.take({request.workspace, request.requestId});
  auto found = manager.view(request.workspace);
  if (found == nullptr) co_return Absent();
  auto& workspace = KJ_ASSERT_NONNULL(found);

  SessionRow row;
  row.workspaceId = kj::str(workspace.id);
  row.verbs = request.rights.verbBits();
  row.beneath = kj::mv(request.rights.beneath);
  row.label = kj::mv(request.label);
  row.actor = kj::mv(request.actor);
  row.requestId = kj::mv(request.requestId);
  row.createdNanos = now();
  row.expiresNanos = row.createdNanos + static_cast<int64_t>(request.lifetimeMillis) * 1'000'000;
  auto token = SessionToken::generate(world.randomness);

  auto keep = [this](kj::Promise<void> rest) { tasks.add(kj::mv(rest)); };
  KJ_IF_MAYBE (earlier, co_await byRequestId(row.requestId)) {
    if ((*earlier)->isClosed() || !askForTheSame((*earlier)->row(), row))
      co_return RequestConflict();
    co_return co_await carryOut(giveAnother(kj::mv(*earlier), kj::mv(token), kj::mv(claim)), keep);
  }

  auto others = sessions.ofWorkspace(row.workspaceId);
  kj::Vector<kj::Own<Session>> living;
  for (auto& other : others) {
    if (!other->isClosed()) living.add(kj::mv(other));
  }
  // It may have gone meanwhile.
  auto view = manager.view(request.workspace);
  if (view == nullptr || KJ_ASSERT_NONNULL(view).id != row.workspaceId) co_return Absent();
  if (living.size() >= mostOf(KJ_ASSERT_NONNULL(view))) co_return TooMany{living.releaseAsArray()};

  row.id = kj::str(WorkspaceId::generate(world.randomness).text());
  row.tokenHash = bytesOf(token.hash());
  // What is begun is carried out though the caller leaves.
  co_return co_await carryOut(begin(kj::mv(row), kj::mv(token), kj::mv(claim)), keep);
}

// One that has ended has its request id until its row is gone, which is waited for.
kj::Promise<kj::Maybe<kj::Own<Session>>> SessionRegistry::byRequestId(kj::StringPtr requestId) {
  const auto deadline = world.timer.now() + SESSION_REVOKE_PATIENCE;
  for (;;) {
    auto found = sessions.byRequest(requestId);
    KJ_IF_MAYBE (session, found) {
      const bool isLast = world.timer.now() >= deadline;
      if (!(*session)->isClosed() || isLast) co_return kj::mv(found);
    } else {
      co_return nullptr;
    }
    co_await rowsGone.wait().exclusiveJoin(world.timer.atTime(deadline));
  }
}

kj::Promise<SessionRegistry::CreateOutcome> SessionRegistry::begin(
    SessionRow row, SessionToken token, kj::Own<CreationClaims::Claim> claim) {
  bool isRefused = false;
  try {
    co_await store(kj::mv(Change().add(row.clone())));
  } catch (...) {
    auto fault = kj::getCaughtExceptionAsKj();
    // Its workspace is gone.
    if (!isRowRefused(fault)) kj::throwFatalException(kj::mv(fault));
    isRefused = true;
  }
  if (isRefused || manager.byId(row.workspaceId) == nullptr) co_return Absent();
  auto session = insert(kj::mv(row), Session::Origin::MADE_HERE);
  auto& made = session->row();
  const auto lifetimeMillis = (made.expiresNanos - made.createdNanos) / 1'000'000;
  const auto rights = session->rights.names();
  const auto actor = escapeGuestText(made.actor), label = escapeGuestText(made.label);
  KJ_LOG(INFO, "a session begins", made.id, made.workspaceId, rights, lifetimeMillis, actor, label);
  co_return Created{kj::mv(session), token.text()};
}

// Who asks again has not got the first one.
kj::Promise<SessionRegistry::CreateOutcome> SessionRegistry::giveAnother(
    kj::Own<Session> session, SessionToken token, kj::Own<CreationClaims::Claim> claim) {
  co_await store(kj::mv(Change().replaceToken(session->row().id, bytesOf(token.hash()))));
  // It may have ended meanwhile: then its token finds nothing.
  if (!session->isClosed()) {
    sessions.replaceToken(*session, token.hash());
  }
  co_return Created{kj::mv(session), token.text()};
}

void SessionRegistry::noteUse(Session& session) {
  const auto nanos = now();
  const auto sinceLast = nanos - session.row().lastUsedNanos;
  if (sinceLast >= 0 && sinceLast < SESSION_USE_PAUSE / kj::NANOSECONDS) return;
  if (session.isClosed()) return;
  session.setUsed(nanos);
  // One that the database does not take is nobody's loss.
  tasks.add(store(kj::mv(Change().update(session.row().clone()))).catch_([](kj::Exception&&) {}));
}

// ---------------------------------------------------------------------------------------------
// Ends

void SessionRegistry::end(Session& session, SessionEnd why) {
  auto& row = session.row();
  sessions.close(session);
  dueChanged.wakeAll();
  KJ_LOG(INFO, "a session ends", row.id, row.workspaceId, why);
  session.finish(why);
  auto cutting = cutAndRemove(session.addRef()).fork();
  tasks.add(cutting.addBranch());
  session.cutting = kj::mv(cutting);
}

void SessionRegistry::awaitDue() {
  dueChanged.wakeAll();
  if (isExpiring) return;
  isExpiring = true;
  // Not within a call of who makes one.
  expiring =
      kj::evalLater([this]() { return expireWhenDue(); }).eagerlyEvaluate([](kj::Exception&& e) {
        KJ_LOG(FATAL, "sessions do not expire any more", e.getDescription());
      });
}

kj::Promise<void> SessionRegistry::expireWhenDue() {
  KJ_DEFER(isExpiring = false);
  for (;;) {
    auto first = sessions.firstDue();
    if (first == nullptr) co_return;
    auto& session = KJ_ASSERT_NONNULL(first);
    const auto left = (session.row().expiresNanos - now()) * kj::NANOSECONDS;
    if (left <= 0 * kj::NANOSECONDS) {
      end(session, SessionEnd::EXPIRED);
      continue;
    }
    auto changed = dueChanged.wait();
    co_await world.timer.afterDelay(kj::min(left, SESSION_CLOCK_LOOK))
        .exclusiveJoin(kj::mv(changed));
  }
}

kj::Promise<void> SessionRegistry::storeRevocation(kj::Own<Session> session) {
  // From here on no lane begins; nothing else is stored of it meanwhile, which would say otherwise.
  session->setRevoked(kj::max(now(), 1));
  auto failure =
      co_await failureOf([&]() { return store(kj::mv(Change().update(session->row().clone()))); });
  KJ_IF_MAYBE (e, failure) {
    // Its row has gone: with its workspace, or at its end.
    if (isRowRefused(*e)) co_return;
    session->setRevoked(0);
    session->revoking = nullptr;
    kj::throwFatalException(kj::mv(*e));
  }
  if (session->end() == SessionEnd::NONE) end(*session, SessionEnd::REVOKED);
}

kj::Promise<bool> SessionRegistry::revoke(kj::Own<Session> session) {
  // Also of one that has expired and is not cut yet: a clock that is set back gives it no life any more.
  if (session->row().revokedNanos == 0 && session->hasRow()) {
    auto revoking = storeRevocation(session->addRef()).fork();
    // It goes on though its caller leaves, who is told of a failure.
    tasks.add(revoking.addBranch().catch_([](kj::Exception&&) {}));
    session->revoking = kj::mv(revoking);
  }
  KJ_IF_MAYBE (revoking, session->revoking) co_await revoking->addBranch();
  KJ_IF_MAYBE (cutting, session->cutting) {
    bool isCut = false;
    co_await cutting->addBranch()
        .then([&isCut]() { isCut = true; })
        .exclusiveJoin(world.timer.afterDelay(SESSION_REVOKE_PATIENCE));
    co_return isCut;
  }
  co_return true;
}

kj::Promise<void> SessionRegistry::cutAndRemove(kj::Own<Session> session) {
  // Whoever keeps lanes of it hears of its end first.
  co_await kj::evalLast([]() {});
  if (session->end() != SessionEnd::WORKSPACE_DELETED) co_await cuts.cut(session->addRef());
  session->noteCut();
  // Nobody waits for the database.
  tasks.add(removeRow(kj::mv(session)));
}

kj::Promise<void> SessionRegistry::removeRow(kj::Own<Session> session) {
  for (auto pauses = world.pauses(); session->hasRow();) {
    auto failure = co_await failureOf(
        [&]() { return store(kj::mv(Change().removeSession(session->row().id))); });
    // It went with its workspace.
    if (failure == nullptr || isRowRefused(KJ_ASSERT_NONNULL(failure))) break;
    KJ_LOG(ERROR, "a session that has ended could not be removed yet; trying again",
           session->row().id, KJ_ASSERT_NONNULL(failure).getDescription());
    co_await pauses.next();
  }
  sessions.erase(*session);
  rowsGone.wakeAll();
}

bool SessionRegistry::mayHaveUncut(kj::StringPtr workspaceId) {
  return !sessions.forEachOf(workspaceId, [](Session& session) { return !session.mayBeUncut(); });
}

kj::Promise<bool> SessionRegistry::remainUncut(kj::StringPtr workspaceId) {
  bool areCut = false;
  cuts.hurry();
  co_await onCut(sessions.ofWorkspace(workspaceId))
      .then([&areCut]() { areCut = true; })
      .exclusiveJoin(world.timer.afterDelay(HELLO_LIMIT));
  co_return !areCut;
}

kj::Promise<void> SessionRegistry::onCut(kj::Array<kj::Own<Session>> ended) {
  for (auto& session : ended) {
    if (!session->mayBeUncut()) continue;
    KJ_IF_MAYBE (cutting, session->cutting) co_await cutting->addBranch();
  }
}

void SessionRegistry::workspaceGone(kj::StringPtr id) {
  for (auto& session : sessions.ofWorkspace(id)) {
    session->noteRowGone();
    if (session->end() == SessionEnd::NONE) end(*session, SessionEnd::WORKSPACE_DELETED);
  }
}

}  // namespace bothy
