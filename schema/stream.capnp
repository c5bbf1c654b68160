@0xb5d6b1a1c0f0a001;
# Bytes that flow from one program to another, with back-pressure.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

interface ByteSink {
  # Receives one stream of bytes.  Whoever wants to receive implements it and hands it to the sender.
  #
  # Order: any number of `write` and `gap`, then at most one `end`.  Dropping the capability without `end` means
  # that the stream broke: the receiver must not take what it has for the whole.

  write @0 (data :Data) -> stream;
  # Appends `data`.  At most `maxChunkBytes` (limits.capnp) in a call; FAILED above it.
  #
  # `-> stream` is the flow control: the sender's RPC system keeps a window of bytes in flight and
  # holds the next `write` back until the receiver returned.  A receiver that is slow returns late;
  # that is all it has to do.  If a `write` failed, so does every later one, and `end`.

  end @1 ();
  # The stream is complete.  Returns when the receiver has disposed of every byte (a file: written).

  gap @2 (lost :UInt64);
  # So many bytes would come next, and cannot be had any more: what follows begins behind them.  Called only where the method that
  # took the sink says so.  A receiver that does not know it gets no `end`, so that it does not take the rest for the whole.
}

interface Handle {
  # Something that goes on for as long as somebody holds this capability.  Dropping it ends it.
}
