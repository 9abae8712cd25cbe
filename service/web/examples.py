"""The ids and times in the examples of the OpenAPI document: those of Ann and Bob, who share a flat."""

team_id = "019a5b3c-0d10-7c3e-9a41-3f6d2b8e1c01"
user_id = "019a5b3c-0a02-7b1f-8d27-5c9e4a1f7d02"
ann_id = "019a5b3c-0d10-7d5a-8e63-7b2c9f4d1a03"
bob_id = "019a5b3d-41c8-7e29-b574-1d8a6e3f2b04"
expense_id = "019a5b40-9f3a-7a86-9c12-6e4b8d2f5c05"
settlement_id = "019a5b52-c7e1-7f04-a3d8-2c7f9b1e4d06"
created_at = "2026-05-17T19:30:12.482913Z"
