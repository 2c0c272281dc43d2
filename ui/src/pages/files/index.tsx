import { lazy, Suspense } from 'react';
import { Navigate, Route, Routes } from 'react-router';

const Files = lazy(() => import('./Files'));
const Edit = lazy(() => import('./Edit'));
const NewFile = lazy(() => import('./NewFile'));
const NewRule = lazy(() => import('./NewRule'));

/** Configuration files: which there are, editing them, and a form for alert rules. */
export function Component() {
  return (
    <Suspense>
      <Routes>
        <Route index element={<Files />} />
        <Route path="new-rule" element={<NewRule />} />
        <Route path="new" element={<NewFile />} />
        <Route path=":id" element={<Edit />} />
        <Route path="*" element={<Navigate to="/files" replace />} />
      </Routes>
    </Suspense>
  );
}
