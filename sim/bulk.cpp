// Bulk simulation: every sample through the AXI-Streams of a design, back to back, without a bench in an interpreter.
//
// ports.h, written for the design, names its streams: INPUTS(X) and OUTPUTS(X) with X(prefix, bytes of a beat). Called
// with the number of samples, of threads and of clocks without a result after which to give up, then for every stream in
// that order its file and the beats of a sample. Each thread drives a model of its own through a part of the samples.
// Prints the clocks that all threads took together.
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
  std::size_t bytes;  // of a beat
  std::size_t beats;  // of a sample
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
static std::atomic<std::uint64_t> clocks{0};

[[noreturn]] static void fail(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::exit(1);
}

static void simulate(std::size_t first, std::size_t last, std::uint64_t patience) {
  VerilatedContext context;
  Vtop top{&context};
  const auto clock = [&top] {
    top.aclk = 1;
    top.eval();
    top.aclk = 0;
  };
  top.aresetn = 0;
  for (int k = 0; k < 4; ++k) clock();
  top.aresetn = 1;
  std::size_t sent[N_INPUTS], given[N_OUTPUTS];
  for (int k = 0; k < N_INPUTS; ++k) sent[k] = first * inputs[k].beats;
  for (int k = 0; k < N_OUTPUTS; ++k) given[k] = first * outputs[k].beats;
  std::uint64_t cycle = 0, quiet = 0;
  // At the end the model is watched for results that nobody asked for.
  for (bool busy = true; busy || quiet < patience;) {
    cycle += busy;
#define X(prefix, bytes)                                                                        \
  top.prefix##_tvalid = sent[prefix] < last * inputs[prefix].beats;                             \
  if (top.prefix##_tvalid) {                                                                    \
    std::memcpy(&top.prefix##_tdata, inputs[prefix].data + sent[prefix] * (bytes), bytes);      \
    top.prefix##_tlast = (sent[prefix] + 1) % inputs[prefix].beats == 0;                        \
  }
    INPUTS(X)
#undef X
#define X(prefix, bytes) top.prefix##_tready = 1;
    OUTPUTS(X)
#undef X
    top.eval();
    busy = false;
    ++quiet;
#define X(prefix, bytes) sent[prefix] += top.prefix##_tvalid && top.prefix##_tready;
    INPUTS(X)
#undef X
#define X(prefix, bytes)                                                                        \
  if (top.prefix##_tvalid) {                                                                    \
    if (given[prefix] == last * outputs[prefix].beats) fail(#prefix ": more results than samples"); \
    std::memcpy(outputs[prefix].data + given[prefix] * (bytes), &top.prefix##_tdata, bytes);    \
    ++given[prefix];                                                                            \
    if (top.prefix##_tlast != (given[prefix] % outputs[prefix].beats == 0)) {                   \
      fail(#prefix ": tlast is wrong at beat " + std::to_string(given[prefix] - 1));            \
    }                                                                                           \
    quiet = 0;                                                                                  \
  }                                                                                             \
  busy |= given[prefix] < last * outputs[prefix].beats;
    OUTPUTS(X)
#undef X
    if (busy && quiet > patience) fail("no result in " + std::to_string(quiet) + " clocks");
    clock();
  }
  clocks += cycle;
}

static Stream open_stream(char** arguments, std::size_t bytes, std::size_t samples, bool writable) {
  const std::size_t beats = std::strtoull(arguments[1], nullptr, 10);
  const int file = open(arguments[0], writable ? O_RDWR : O_RDONLY);
  const int access = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* data = file < 0 ? MAP_FAILED : mmap(nullptr, samples * beats * bytes, access, MAP_SHARED, file, 0);
  if (data == MAP_FAILED) fail(std::string("cannot map ") + arguments[0]);
  close(file);
  return {static_cast<std::uint8_t*>(data), bytes, beats};
}

int main(int count, char** arguments) {
  if (count != 4 + 2 * (N_INPUTS + N_OUTPUTS)) fail("wrong number of arguments");
  const std::size_t samples = std::strtoull(arguments[1], nullptr, 10);
  const std::size_t threads = std::strtoull(arguments[2], nullptr, 10);
  const std::uint64_t patience = std::strtoull(arguments[3], nullptr, 10);
  char** next = arguments + 4;
#define X(prefix, bytes) inputs.push_back(open_stream(next, bytes, samples, false)), next += 2;
  INPUTS(X)
#undef X
#define X(prefix, bytes) outputs.push_back(open_stream(next, bytes, samples, true)), next += 2;
  OUTPUTS(X)
#undef X
  std::vector<std::thread> running;
  for (std::size_t k = 0; k < threads; ++k) {
    running.emplace_back(simulate, samples * k / threads, samples * (k + 1) / threads, patience);
  }
  for (auto& thread : running) thread.join();
  std::printf("%llu\n", static_cast<unsigned long long>(clocks.load()));
}
