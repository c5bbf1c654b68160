#include "workspace/operations/stored-operation.h"

#include <kj/debug.h>

#include "workspace/operations/create-operation.h"
#include "workspace/operations/delete-operation.h"
#include "workspace/operations/expire-operation.h"
#include "workspace/operations/hibernate-operation.h"
#include "workspace/operations/pause-operation.h"
#include "workspace/operations/resize-operation.h"
#include "workspace/operations/resume-operation.h"
#include "workspace/operations/start-operation.h"
#include "workspace/operations/stop-operation.h"
#include "workspace/operations/wake-operation.h"

namespace bothy {

kj::Own<Operation> operationOf(const Site& site, const OperationRow& row) {
  switch (KJ_REQUIRE_NONNULL(operationKind(row.kind), "no such kind of operation", row.kind)) {
    case OperationKind::CREATE:
      return kj::refcounted<CreateOperation>(site, row.parameters);
    case OperationKind::START:
      return kj::refcounted<StartOperation>(site, row.parameters);
    case OperationKind::STOP:
      return kj::refcounted<StopOperation>(site, row.parameters, row.deadlineNanos);
    case OperationKind::RESIZE:
      return kj::refcounted<ResizeOperation>(site, row.parameters);
    case OperationKind::DELETE:
      return kj::refcounted<DeleteOperation>(site, row.parameters);
    case OperationKind::PAUSE:
      return kj::refcounted<PauseOperation>(site, row.parameters);
    case OperationKind::RESUME:
      return kj::refcounted<ResumeOperation>(site);
    case OperationKind::EXPIRE:
      return kj::refcounted<ExpireOperation>(site, row.parameters);
    case OperationKind::HIBERNATE:
      return kj::refcounted<HibernateOperation>(site, row.parameters);
    case OperationKind::WAKE:
      return kj::refcounted<WakeOperation>(site);
  }
  KJ_UNREACHABLE;
}

kj::Own<Operation> storedOperation(const Site& site) {
  return operationOf(
      site, KJ_ASSERT_NONNULL(site.journal.operation(), "no operation is stored of the workspace"));
}

}  // namespace bothy
