#include "tools/vmmodel/show/patience.hpp"

namespace vmmodel {

Patience::Patience(std::function<double()> part, std::function<std::string()> words)
    : thread_([part = std::move(part), words = std::move(words)](const std::stop_token& stop) {
          partialfs::tools::ProgressLine line("vmmodel");
          std::mutex mutex; // guards nothing: waiting for a condition needs a lock
          std::condition_variable_any wake;
          std::unique_lock lock(mutex);
          const auto stopped = [&] { return stop.stop_requested(); };
          while (!wake.wait_for(lock, stop, std::chrono::milliseconds(100), stopped)) {
              if (line.is_due()) {
                  line.show(part(), words());
              }
          }
      }) {}

Patience::~Patience() {
    thread_.request_stop();
    thread_.join();
    partialfs::tools::clear_progress_bar();
}

} // namespace vmmodel
