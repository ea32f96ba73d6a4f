// Rows of matrix products. See kernel_benchmark.h.
#include "kernels/bench/kernel_benchmark.h"

#include <cstdint>
#include <memory>

#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "kernels/memory/aligned_buffer.h"
#include "kernels/verify/cases.h"
#include "kernels/verify/kernel_check.h"

namespace vp {
namespace {

double flops_of(const ProductShape& s) { return 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k); }

double bytes_of(const ProductShape& s) {
  const std::int64_t elements = s.m * s.k + s.k * s.n + s.m * s.n * (s.accumulate ? 2 : 1) + (s.bias ? s.n : 0);
  return 4.0 * static_cast<double>(elements);
}

// A product with operands of its own.
class ReadyProduct {
 public:
  ReadyProduct(Backend<float>& backend, const ProductCase& test)
      : test_(test),
        a_(benchmark_values(test.shape.m * test.shape.k)),
        b_(benchmark_values(test.shape.k * test.shape.n)),
        bias_(benchmark_values(test.shape.n)),
        c_(test.shape.m * test.shape.n) {
    ProductShape typical = test.shape;
    if (test.typical_m != 0) typical.m = test.typical_m;
    if (test.packed) weights_ = backend.make_weights(typical);
    product_ = backend.make_product(test.shape, weights_.get());
    if (weights_) pack();
  }
  void run() { product_->run(a_.data(), test_.packed ? nullptr : b_.data(), test_.shape.bias ? bias_.data() : nullptr, c_.data()); }
  void pack() { weights_->pack(b_.data()); }
  std::string implementation() const { return product_->implementation(); }

 private:
  ProductCase test_;
  AlignedBuffer<float> a_, b_, bias_, c_;
  std::unique_ptr<PackedWeights<float>> weights_;
  std::unique_ptr<Product<float>> product_;
};

// The backend outlives what it made.
struct Workshop {
  explicit Workshop(const std::string& name) : backend(make_backend<float>(name)) {}
  void add(const ProductCase& test) { products.push_back(std::make_unique<ReadyProduct>(*backend, test)); }
  std::unique_ptr<Backend<float>> backend;
  std::vector<std::unique_ptr<ReadyProduct>> products;
};

std::string checked_fault(const std::string& backend_name, const ProductCase& test) {
  const auto backend = make_backend<float>(backend_name);
  std::string fault = product_fault(*backend, test);
  if (fault.empty()) fault = slow_implementation(backend_name, ReadyProduct(*backend, test).implementation());
  return fault;
}

TimedCase product_row(const std::string& backend, const ProductCase& test) {
  TimedCase row{.name = backend + "/product/" + case_name(test), .flops = flops_of(test.shape), .bytes = bytes_of(test.shape)};
  row.find_fault = [=] { return checked_fault(backend, test); };
  row.prepare = [=] {
    const auto shop = std::make_shared<Workshop>(backend);
    shop->add(test);
    ReadyProduct& product = *shop->products[0];
    return TimedBody{.run = [shop, &product] { product.run(); }, .implementation = product.implementation()};
  };
  return row;
}

// Weights are packed once per update; half of the bytes are reads.
TimedCase pack_row(const std::string& backend, const ProductCase& test) {
  const ProductShape& s = test.shape;
  TimedCase row{.name = backend + "/pack/" + case_name(test), .bytes = 2 * 4.0 * static_cast<double>(s.k * s.n)};
  row.find_fault = [=] { return checked_fault(backend, test); };
  row.prepare = [=] {
    const auto shop = std::make_shared<Workshop>(backend);
    shop->add(test);
    return TimedBody{.run = [shop] { shop->products[0]->pack(); }, .implementation = ""};
  };
  return row;
}

std::vector<ProductCase> dense_products(std::int64_t rows, std::int64_t inputs, std::int64_t outputs) {
  return {
      {.shape = {.m = rows, .n = outputs, .k = inputs, .transpose_b = true, .bias = true}, .packed = true},  // y = x W^T + b
      {.shape = {.m = rows, .n = inputs, .k = outputs}, .packed = true},                                     // dx = dy W
      {.shape = {.m = outputs, .n = inputs, .k = rows, .transpose_a = true, .accumulate = true}},            // dW += dy^T x
  };
}

}  // namespace

std::vector<TimedCase> product_rows(const std::string& backend) {
  std::vector<TimedCase> rows;
  for (const ProductCase& test : product_cases())
    if (test.timed) rows.push_back(product_row(backend, test));
  for (const ProductCase& test : product_cases())
    if (test.timed && test.packed && test.shape.bias && test.shape.n >= 512 && test.typical_m == 0 && test.shape.m == 64)
      rows.push_back(pack_row(backend, test));
  return rows;
}

TimedCase dense_row(const std::string& backend, std::int64_t rows, std::int64_t inputs, std::int64_t outputs) {
  const std::vector<ProductCase> products = dense_products(rows, inputs, outputs);
  TimedCase row{.name = backend + "/dense/" + std::to_string(rows) + "x" + std::to_string(outputs) + "x" + std::to_string(inputs)};
  for (const ProductCase& p : products) row.flops += flops_of(p.shape), row.bytes += bytes_of(p.shape);
  row.find_fault = [=] {
    for (const ProductCase& p : products)
      if (const std::string fault = checked_fault(backend, p); !fault.empty()) return fault;
    return std::string();
  };
  row.prepare = [=] {
    const auto shop = std::make_shared<Workshop>(backend);
    for (const ProductCase& p : products) shop->add(p);
    const auto run = [shop] {
      for (const auto& p : shop->products) p->run();
    };
    return TimedBody{.run = run, .implementation = shop->products[0]->implementation()};
  };
  return row;
}

}  // namespace vp
