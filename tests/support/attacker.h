#pragma once

namespace bothy {

// Whoever attacks, as a test that compares has it: with it, and without.
class Attacker {
public:
  // Whether whoever is attacked has thrown it out.
  virtual bool hasEnded() = 0;

  // Stops it, so that it takes nothing of the CPU, and lets it go on.
  virtual void pause() = 0;
  virtual void goOn() = 0;
};

}  // namespace bothy
