// Bulk simulation: every sample through the AXI-Streams of a design, back to back, without a bench in an interpreter.
//
// ports.h, written for the design, names its streams: INPUTS(X) and OUTPUTS(X) with X(prefix, bytes of a beat). Called
// with the number of samples, of parts, of threads, of clocks without a transfer after which to give up, and of clocks
// to watch at the end; then for every stream in that order its file and the beats of a sample. Every part of the samples
// goes through a model of its own, from its reset on; threads take one after the other. Prints the clocks of all parts
// together, and what went wrong in the first part where something did: port, beat and text.
#include "Vtop.h"
#include "ports.h"
#include "verilated.h"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct Stream {
  std::uint8_t* data;
  std::size_t beats;  // of a sample
};

struct Part {
  std::size_t first, last;  // samples
  std::uint64_t clocks = 0;
  std::string trouble;
};

enum Input {
#define X(prefix, bytes) prefix,
  INPUTS(X) N_INPUTS
#undef X
};
enum Output {
#define X(prefix, bytes) prefix,
  OUTPUTS(X) N_OUTPUTS
#undef X
};

static std::vector<Stream> inputs, outputs;

// Where one part stands in one stream.
struct Position {
  Position(const Stream& stream, const Part& part)
      : beats(stream.beats), done(part.first * beats), end(part.last * beats) {}
  bool more() const { return done < end; }
  bool at_last() const { return place + 1 == beats; }
  void advance() {
    ++done;
    place = at_last() ? 0 : place + 1;
  }
  std::size_t beats, done, end, place = 0;
};

static std::string trouble(const char* port, std::size_t beat, const std::string& text) {
  return std::string(port) + " " + std::to_string(beat) + " " + text;
}

static void simulate(Part& part, std::uint64_t patience, std::uint64_t span) {
  VerilatedContext context;
  context.randReset(2);  // nothing is known at power-up
  context.randSeed(1);
  Vtop top{&context};
#define X(prefix, bytes) top.prefix##_tvalid = 0;
  INPUTS(X)
#undef X
  top.aresetn = 0;
  for (int k = 0; k < 8; ++k) {
    top.aclk = k % 2;
    top.eval();
  }
  top.aresetn = 1;
  std::vector<Position> sent, given;
  for (const Stream& stream : inputs) sent.emplace_back(stream, part);
  for (const Stream& stream : outputs) given.emplace_back(stream, part);
  bool busy = true;
  // At the end the model is watched for results that nobody asked for.
  for (std::uint64_t quiet = 0; busy || quiet < span; ++quiet) {
    part.clocks += busy;
#define X(prefix, bytes)                                                                    \
  top.prefix##_tvalid = sent[prefix].more();                                                \
  if (top.prefix##_tvalid) {                                                                \
    std::memcpy(&top.prefix##_tdata, inputs[prefix].data + sent[prefix].done * (bytes), bytes); \
    top.prefix##_tlast = sent[prefix].at_last();                                            \
  }
    INPUTS(X)
#undef X
#define X(prefix, bytes) top.prefix##_tready = 1;
    OUTPUTS(X)
#undef X
    top.aclk = 0;
    top.eval();
    busy = false;
#define X(prefix, bytes)                                \
  if (top.prefix##_tvalid && top.prefix##_tready) {     \
    sent[prefix].advance();                             \
    quiet = 0;                                          \
  }
    INPUTS(X)
#undef X
#define X(prefix, bytes)                                                                         \
  if (top.prefix##_tvalid) {                                                                     \
    Position& at = given[prefix];                                                                \
    if (!at.more()) part.trouble = trouble(#prefix, at.done - 1, "a surplus result behind it");  \
    else if (top.prefix##_tlast != at.at_last()) part.trouble = trouble(#prefix, at.done, "tlast is wrong"); \
    if (!part.trouble.empty()) return;                                                           \
    std::memcpy(outputs[prefix].data + at.done * (bytes), &top.prefix##_tdata, bytes);           \
    at.advance();                                                                                \
    quiet = 0;                                                                                   \
  }                                                                                              \
  busy |= given[prefix].more();
    OUTPUTS(X)
#undef X
    if (busy && quiet > patience) {
#define X(prefix, bytes)                                                                         \
  if (given[prefix].more() && part.trouble.empty()) {                                            \
    part.trouble = trouble(#prefix, given[prefix].done, "nothing came for " + std::to_string(quiet) + " clocks"); \
  }
      OUTPUTS(X)
#undef X
      return;
    }
    top.aclk = 1;
    top.eval();
  }
}

static Stream open_stream(char** arguments, std::size_t bytes, std::size_t samples, bool writable) {
  const std::size_t beats = std::strtoull(arguments[1], nullptr, 10);
  const int file = open(arguments[0], writable ? O_RDWR : O_RDONLY);
  const int access = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* data = file < 0 ? MAP_FAILED : mmap(nullptr, samples * beats * bytes, access, MAP_SHARED, file, 0);
  if (data == MAP_FAILED) {
    std::fprintf(stderr, "cannot map %s\n", arguments[0]);
    std::exit(1);
  }
  close(file);
  return {static_cast<std::uint8_t*>(data), beats};
}

int main(int count, char** arguments) {
  constexpr int FIRST_STREAM = 6;
  if (count != FIRST_STREAM + 2 * (N_INPUTS + N_OUTPUTS)) {
    std::fprintf(stderr, "wrong number of arguments\n");
    return 1;
  }
  std::uint64_t numbers[FIRST_STREAM - 1];
  for (int k = 1; k < FIRST_STREAM; ++k) numbers[k - 1] = std::strtoull(arguments[k], nullptr, 10);
  const auto [samples, n_parts, threads, patience, span] = numbers;
  char** next = arguments + FIRST_STREAM;
#define X(prefix, bytes) inputs.push_back(open_stream(next, bytes, samples, false)), next += 2;
  INPUTS(X)
#undef X
#define X(prefix, bytes) outputs.push_back(open_stream(next, bytes, samples, true)), next += 2;
  OUTPUTS(X)
#undef X
  std::vector<Part> parts;
  for (std::size_t k = 0; k < n_parts; ++k) parts.push_back({samples * k / n_parts, samples * (k + 1) / n_parts});
  std::atomic<std::size_t> taken{0};
  const auto work = [&, patience = patience, span = span] {
    for (std::size_t k; (k = taken++) < parts.size();) simulate(parts[k], patience, span);
  };
  std::vector<std::thread> running;
  for (std::size_t k = 0; k < threads; ++k) running.emplace_back(work);
  for (std::thread& thread : running) thread.join();
  std::uint64_t clocks = 0;
  for (const Part& part : parts) clocks += part.clocks;
  std::printf("%llu\n", static_cast<unsigned long long>(clocks));
  for (const Part& part : parts) {
    if (!part.trouble.empty()) {
      std::printf("%s\n", part.trouble.c_str());
      break;
    }
  }
}
