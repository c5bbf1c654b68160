#pragma once

#include <kj/io.h>
#include <kj/string.h>

namespace bothy {

enum class OutputFormat { TEXT, JSON };

// Where messages for people go (standard error) and results (standard output).  Messages are few and
// short: they are written at once, blocking.
class Console final {
public:
  struct Properties {
    OutputFormat format = OutputFormat::TEXT;
    bool outIsTerminal = false;
    bool errorsAreTerminal = false;
  };
  // The streams must outlive it.
  Console(kj::OutputStream& out, kj::OutputStream& errors, Properties properties);

  // To standard output, as it is.  Fails when that cannot be written.
  void print(kj::StringPtr text);
  // To standard error: a line that begins with "bothy: ".  Nothing with JSON.  What cannot be written there is dropped,
  // as of the next two.
  void note(kj::StringPtr message);
  // As note, also with JSON.
  void error(kj::StringPtr message);
  // To standard error as it is: progress.  Nothing with JSON.
  void progress(kj::StringPtr text);

  bool wantsJson() const { return properties.format == OutputFormat::JSON; }
  void useJson() { properties.format = OutputFormat::JSON; }
  bool outIsTerminal() const { return properties.outIsTerminal; }
  // Whether progress is seen by a person, in place.
  bool showsProgress() const { return properties.errorsAreTerminal && !wantsJson(); }

private:
  kj::OutputStream& out;
  kj::OutputStream& errors;
  Properties properties;

  void write(kj::StringPtr text);
};

}  // namespace bothy
