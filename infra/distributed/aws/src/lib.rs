//! The event store on DynamoDB and the archive on S3.
