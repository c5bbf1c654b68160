#include "usage/man-page.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("a manual page says what help says, in roff") {
  Usage usage("demo", "shows how");
  kj::StringPtr text;
  usage.form("[OPTION]... NAME");
  usage.describe("Runs `bothy it`.  A \\ and 'quotes' are kept.\n\n.A dot begins this.");
  usage.option('s', "size", {"SIZE"}, "how large", text);
  usage.commonOptionsFollow();
  const Definition codes[] = {{kj::str("0"), "done"}};
  ManPage page{usage.declared(), nullptr, codes, "1.2.3"};
  CHECK(page.name() == "bothy-demo");
  CHECK(page.render() == R"(.TH BOTHY\-DEMO 1 "" "bothy 1.2.3" "User Commands"
.SH NAME
bothy\-demo \- shows how
.SH SYNOPSIS
\fBbothy demo\fR [OPTION]... NAME
.SH DESCRIPTION
Runs \fBbothy it\fR.
A \e and \(aqquotes\(aq are kept.
.PP
\&.A dot begins this.
.SH OPTIONS
.TP
\fB\-s, \-\-size\fR \fISIZE\fR
how large
.SH "OPTIONS OF EVERY COMMAND"
.TP
\fB\-h, \-\-help\fR
show this text
.SH "EXIT STATUS"
.TP
\fB0\fR
done
.SH "SEE ALSO"
.BR bothy (1)
)");
}

}  // namespace
}  // namespace bothy
