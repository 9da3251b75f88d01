//! Pictures to detections, through ONNX Runtime.
