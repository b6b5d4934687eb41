// Random numbers that are the same on every machine. The standard distributions do not promise
// that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>

namespace mmapstress {

/// Not thread-safe; small enough that each object has its own.
class Dice {
  public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}
    /// 0 up to limit - 1; `limit` must not be 0.
    std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
    template <typename Choices>
    const auto& pick(const Choices& choices) {
        return choices[below(choices.size())];
    }
    template <typename Items>
    void shuffle(Items& items) {
        for (std::size_t left = items.size(); left > 1; --left) {
            std::swap(items[left - 1], items[below(left)]);
        }
    }

  private:
    std::mt19937_64 engine_;
};

} // namespace mmapstress
