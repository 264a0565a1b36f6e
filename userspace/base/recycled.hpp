#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace timesink {

/// For small objects that come and go all the time, by the hundred thousand: `struct T : Recycled<T>`. What a thread has given
/// up it uses again, without asking the heap, which would gather and split them each time. At most kMost are kept.
/// Not for what is derived from T: all blocks are of one size.
template <typename T>
class Recycled {
public:
    static void* operator new(std::size_t size) {
        std::vector<void*>& blocks = kept().blocks;
        if (blocks.empty()) {
            return ::operator new(size);
        }
        void* const block = blocks.back();
        blocks.pop_back();
        return block;
    }
    static void operator delete(void* block) {
        std::vector<void*>& blocks = kept().blocks;
        if (blocks.size() < blocks.capacity()) {
            blocks.push_back(block);
        } else {
            ::operator delete(block);
        }
    }

private:
    static constexpr std::size_t kMost = 4096;
    struct Kept {
        std::vector<void*> blocks;
        Kept() { blocks.reserve(kMost); }
        Kept(const Kept&) = delete;
        Kept& operator=(const Kept&) = delete;
        ~Kept() {
            for (void* const block : blocks) {
                ::operator delete(block);
            }
        }
    };
    static Kept& kept() {
        thread_local Kept of_thread;
        return of_thread;
    }
};

}  // namespace timesink
